"""``python scripts/bench/run.py`` does the same as ``python -m scripts.bench`` in the project's root folder."""

import os
import runpy
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

os.chdir(ROOT)
sys.path[0] = str(ROOT)
runpy.run_module("scripts.bench", run_name="__main__", alter_sys=True)
