"""A developer's settings: the files .env.development and .env.test, and the generated secret."""

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
# Written by the first start, read by every later one. Variables of the environment override it.
# env.example lists all variables.
FLASK_ENV=development
"""


def load(environ: MutableMapping[str, str], root: Path = ROOT) -> None:
    """Fill the unset variables of ``environ`` from the file of its FLASK_ENV."""
    environment = environ.get("FLASK_ENV") or "development"
    if environment not in FILES:
        return
    path = root / FILES[environment]
    if environment == "development" and not _has_key(environ):
        with suppress(OSError):  # not writable: the service reports the missing key itself
            _keep_secret(path)
    for name, value in dotenv_values(path).items():
        if value and not environ.get(name):
            environ[name] = value


def _has_key(values: Mapping[str, str | None]) -> bool:
    return bool(values.get("JWT_SECRET") or values.get("JWT_PRIVATE_KEY_FILE"))


def _keep_secret(path: Path) -> None:
    """Write a JWT_SECRET into the file unless it has a key. Several processes may try at once."""
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+", encoding="utf-8") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        text = file.read()
        if _has_key(dotenv_values(stream=StringIO(text))):
            return
        os.fchmod(file.fileno(), 0o600)
        file.seek(0)
        file.write(_with_secret(text or NEW_FILE))


def _with_secret(text: str) -> str:
    """The text with a secret in the empty line of a copied env.example, or in a new line."""
    line = f"JWT_SECRET={secrets.token_urlsafe(48)}"
    filled, count = re.subn(r"^JWT_SECRET=[ \t]*$", line, text, count=1, flags=re.MULTILINE)
    return filled if count else text.rstrip("\n") + f"\n{line}\n"
