"""Writes env.example, every variable with its meaning and default: ``python -m scripts.env_example``."""

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

# Migrate before serving: flask db upgrade, then flask guardian sync.
# RUN_MIGRATIONS=false

# Seconds of draining between the stop signal and the stop; /health/ready answers 503 meanwhile.
# DRAIN_SECONDS=5
"""


def example(settings: Iterable[Field[Any]]) -> str:
    """The file, with a paragraph for each setting in their order. dotenv and docker can read it."""
    return "\n".join((HEAD, *map(_paragraph, settings), ENTRYPOINT))


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
