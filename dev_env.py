"""A developer's settings: .env.development and .env.test beside this file, and the secret kept there."""

from __future__ import annotations

import fcntl
import os
import re
import secrets
from collections.abc import Mapping, MutableMapping
from contextlib import suppress
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values

ROOT = Path(__file__).resolve().parent
FILES = {"development": ".env.development", "testing": ".env.test"}
NEW_FILE = """\
# Made by the first start and read by every later one; variables of the environment win.
# env.example lists all of them.
FLASK_ENV=development
"""


def load(environ: MutableMapping[str, str], root: Path = ROOT) -> None:
    """Fill ``environ`` from the file of its FLASK_ENV; what has a value stays as it is."""
    environment = environ.get("FLASK_ENV") or "development"
    if environment not in FILES:
        return
    path = root / FILES[environment]
    if environment == "development" and not _has_key(environ):
        with suppress(OSError):  # not writable: the service says itself that the key is missing
            _keep_secret(path)
    for name, value in dotenv_values(path).items():
        if value and not environ.get(name):
            environ[name] = value


def _has_key(values: Mapping[str, str | None]) -> bool:
    return bool(values.get("JWT_SECRET") or values.get("JWT_PRIVATE_KEY_FILE"))


def _keep_secret(path: Path) -> None:
    """Write a JWT_SECRET into the file unless a key is there. Several processes may try at once."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        if _has_key(dotenv_values(stream=StringIO(text))):
            return
        os.fchmod(file.fileno(), 0o600)
        file.seek(0)
        file.write(_with_secret(text or NEW_FILE))


def _with_secret(text: str) -> str:
    """Fill the empty line of a copied env.example, else add one."""
    line = f"JWT_SECRET={secrets.token_urlsafe(48)}"
    filled, count = re.subn(r"^JWT_SECRET=[ \t]*$", line, text, count=1, flags=re.MULTILINE)
    return filled if count else text.rstrip("\n") + f"\n{line}\n"
