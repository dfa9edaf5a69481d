"""Applications with other settings on the test's own database."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from app import create_app
from tests.support.databases import SECRET, dispose, settings_for

Variant = Callable[..., Flask]
PRODUCTION = {"FLASK_ENV": "production", "INIT_TOKEN": "init-token-0123456789-0123456789", "JWT_SECRET": SECRET}


@pytest.fixture
def variant(app: Flask, database_url: str) -> Iterator[Variant]:
    """As another process would have it: ``variant(COOKIE_SAMESITE="Strict")``."""
    made: list[Flask] = []

    def make(**environ: str) -> Flask:
        made.append(create_app(settings_for(database_url, **environ)))
        return made[-1]

    yield make
    for each in made:
        dispose(each)


@pytest.fixture
def other_process(variant: Variant) -> Flask:
    return variant()
