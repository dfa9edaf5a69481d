"""The Flask extensions of the application."""

from functools import cached_property
from typing import Any

from flask import Flask

from app.core.db.models import db

__all__ = ["Migrations", "db"]


class Migrations:
    """Flask-Migrate's entry in ``app.extensions``. Alembic is imported when a command asks for it."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        app.extensions["migrate"] = self

    @cached_property
    def migrate(self) -> Any:
        from flask_migrate import Migrate

        return Migrate(self._app, db, render_as_batch=False)
