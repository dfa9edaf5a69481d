"""Profiles the workers under load with py-spy, by functions of the service's code."""

import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from scripts.bench.cases import Case
from scripts.bench.load import measure, write_requests
from scripts.bench.servers import ROOT, Failed, Gunicorn

TOP = 15


@dataclass(frozen=True)
class Hotspots:
    """Shares of all samples.

    ``regions`` count for the service's innermost function, including its calls of libraries; ``spent_below`` for
    every function of the service on the stack; ``libraries`` for the innermost package.
    """

    regions: list[tuple[str, float]]
    spent_below: list[tuple[str, float]]
    libraries: list[tuple[str, float]]


def record(server: Gunicorn, case: Case, folder: Path, seconds: int) -> Hotspots:
    """Sample threads with the interpreter's lock, because waiting costs no CPU. Raises Failed without py-spy."""
    program = shutil.which("py-spy") or shutil.which("py-spy", path=str(Path(sys.executable).parent))
    if program is None:
        raise Failed("py-spy is not installed: pip install py-spy")
    file, output = write_requests(folder, "profile", case.requests), folder / "profile.raw"
    options = ["-r", "400", "-d", str(seconds), "--gil", "--full-filenames", "-f", "raw", "-o", str(output)]
    command = [program, "record", *options, "-p", str(server.workers()[0].pid)]
    measure(server.url, file, 1, ())
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        measure(server.url, file, seconds + 1, ())
        if process.wait():
            raise Failed("py-spy failed; it needs the right to trace (root, or kernel.yama.ptrace_scope = 0)")
    return summarize(output.read_text().splitlines())


def summarize(lines: Iterable[str]) -> Hotspots:
    regions: Counter[str] = Counter()
    below: Counter[str] = Counter()
    libraries: Counter[str] = Counter()
    for line in lines:
        stack, _, count = line.rpartition(" ")
        frames = [_parse_frame(text) for text in stack.split(";") if "(" in text]
        own = [name for name, package in frames if package == "app"]
        regions[own[-1] if own else _outside(frames)] += int(count)
        libraries[frames[-1][1] if frames else "?"] += int(count)
        below.update(dict.fromkeys(own, int(count)))
    total = max(1, sum(regions.values()))
    return Hotspots(
        *([(name, n / total) for name, n in counter.most_common(TOP)] for counter in (regions, below, libraries))
    )


def _outside(frames: list[tuple[str, str]]) -> str:
    """The innermost function outside the standard library, for a stack without the service's code."""
    named = [f"({package}) {function}" for function, package in frames if package != "python"]
    return named[-1] if named else "(python)"


def _parse_frame(text: str) -> tuple[str, str]:
    """``function (file:line)`` as (displayed name, package)."""
    function, _, place = text.rpartition(" (")
    path = Path(place.rstrip(")").rpartition(":")[0])
    if path.is_relative_to(ROOT / "app"):
        return f"{path.relative_to(ROOT).as_posix()} {function}", "app"
    parts = path.parts
    if "site-packages" not in parts:
        return function, "python"
    return function, parts[parts.index("site-packages") + 1].removesuffix(".py")
