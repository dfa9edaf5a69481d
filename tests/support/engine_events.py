"""Listening to the engine of an application: what it sends, and where it fails on purpose."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

from flask import Flask
from sqlalchemy import event
from sqlalchemy.exc import OperationalError

from app.core.db.models import db


@contextmanager
def listening(app: Flask, **listeners: Callable[..., Any]) -> Iterator[None]:
    """``listening(app, commit=note)`` calls ``note`` with the arguments of SQLAlchemy's event of that name."""
    with app.app_context():
        engine = db.engine
    with ExitStack() as stack:
        for name, listener in listeners.items():
            event.listen(engine, name, listener)
            stack.callback(event.remove, engine, name, listener)
        yield


@contextmanager
def sent_statements(app: Flask) -> Iterator[list[str]]:
    """BEGIN, COMMIT and set_config are not among them."""
    sent: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        if not statement.startswith("BEGIN"):
            sent.append(statement)

    with listening(app, before_cursor_execute=note):
        yield sent


@contextmanager
def lost_commit(app: Flask, beginning: str, *, is_committed: bool) -> Iterator[None]:
    """The connection is lost at the commit after a statement that begins so."""
    written: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        written.extend([statement] if statement.startswith(beginning) else [])

    def lose(connection: Any) -> None:
        if not written:
            return
        written.clear()
        getattr(connection.connection.dbapi_connection, "commit" if is_committed else "rollback")()
        raise OperationalError("COMMIT", None, Exception("gone"))

    with listening(app, before_cursor_execute=note, commit=lose):
        yield
