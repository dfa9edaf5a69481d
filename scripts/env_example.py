"""Writes env.example, every variable with its meaning and default, and lists them in compose.yaml.

python -m scripts.env_example
"""

import re
from collections.abc import Iterable
from dataclasses import Field, fields
from textwrap import wrap
from typing import Any

from app.config.settings import ROOT, Settings

WIDTH = 96
HEAD = """\
# All settings with their defaults. An empty value means the default.
# Copy this file to .env.development (or .env.test) and edit it, or pass it to docker --env-file.
"""
ENTRYPOINT = """\
# --- Read by docker-entrypoint.sh, not by the service itself ---------------------------------

# Wait for the database of DATABASE_URL before anything else.
# WAIT_FOR_DB=false

# Limit of this wait in seconds.
# WAIT_FOR_DB_SECONDS=60

# Migrate before serving: flask db upgrade, flask db grant (with MIGRATION_DATABASE_URL), flask guardian sync.
# RUN_MIGRATIONS=false

# Seconds of draining between the stop signal and the stop; /health/ready answers 503 meanwhile.
# DRAIN_SECONDS=5
"""


def example(settings: Iterable[Field[Any]]) -> str:
    """The file, with a paragraph for each setting in their order. dotenv and docker can read it."""
    return "\n".join((HEAD, *map(_paragraph, settings), ENTRYPOINT))


LISTED = re.compile(r"(x-settings: &settings\n).*?(?=\n\S)", re.DOTALL)
OWNERS = ("migration_database_url",)
"""Settings of the service that migrates; compose.yaml keeps them from the others."""


def with_settings(compose: str, settings: Iterable[Field[Any]]) -> str:
    """compose.yaml with every setting taken from .env. An empty value means the default."""
    names = [setting.name.upper() for setting in settings if setting.name not in OWNERS]
    lines = "".join(f"  {name}: ${{{name}:-}}\n" for name in names)
    return LISTED.sub(lambda found: found[1] + lines, compose, count=1)


def _paragraph(setting: Field[Any]) -> str:
    meaning = wrap(setting.metadata["meaning"] + _choices(setting), WIDTH - 2)
    lines = [*(f"# {line}" for line in meaning), f"{setting.name.upper()}={_as_text(setting.default)}"]
    return "\n".join(lines) + "\n"


def _choices(setting: Field[Any]) -> str:
    choices = [choice or "(empty)" for choice in setting.metadata["choices"]]
    return f" One of: {', '.join(choices)}." if choices else ""


def _as_text(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)


if __name__ == "__main__":
    (ROOT / "env.example").write_text(example(fields(Settings)), encoding="utf-8")
    compose = ROOT / "compose.yaml"
    compose.write_text(with_settings(compose.read_text(encoding="utf-8"), fields(Settings)), encoding="utf-8")
