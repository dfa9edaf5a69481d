"""Keys and tokens of an external service."""

from flask import Flask

from tests.accounts.auth.browser import Browser, bearer

UNKNOWN = "00000000-0000-7000-8000-000000000000"


def status(app: Flask, token: str, path: str = "/users/me") -> int:
    return Browser(app).get(path, headers=bearer(token)).status_code
