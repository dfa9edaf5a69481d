"""The text of env.example: every variable with its meaning and default."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import Field
from textwrap import wrap
from typing import Any

from app.config.settings import default_of

WIDTH = 96
HEAD = """\
# Every setting with its default. An empty value means the default, too.
# Copy this file to .env.development (or .env.test) and edit it, or give it to docker --env-file.
"""
ENTRYPOINT = """\
# --- Read by docker-entrypoint.sh, not by the service itself ---------------------------------

# Wait until the database of DATABASE_URL answers before anything else.
# WAIT_FOR_DB=false

# Seconds after which that waiting fails.
# WAIT_FOR_DB_SECONDS=60

# Bring the database up to date before serving: flask db upgrade, flask guardian sync.
# RUN_MIGRATIONS=false

# Seconds between the signal to stop and the stop; /health/ready answers 503 meanwhile.
# DRAIN_SECONDS=5
"""


def example(settings: Iterable[Field[Any]]) -> str:
    """The whole file, one paragraph per setting in the order given; dotenv and docker can read it."""
    return "\n".join((HEAD, *(_paragraph(each) for each in settings), ENTRYPOINT))


def _paragraph(each: Field[Any]) -> str:
    meaning = wrap(each.metadata["meaning"] + _choices(each), WIDTH - 2)
    lines = [*(f"# {line}" for line in meaning), f"{each.name.upper()}={_written(default_of(each))}"]
    return "\n".join(lines) + "\n"


def _choices(each: Field[Any]) -> str:
    choices = [choice or "(empty)" for choice in each.metadata["choices"]]
    return f" One of: {', '.join(choices)}." if choices else ""


def _written(value: Any) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return ",".join(value) if isinstance(value, tuple) else str(value)
