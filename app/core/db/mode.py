"""The mode of the transactions that begin now: whether they write, and how long their statements may take."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

STATEMENT_SECONDS = 5.0

writes_now: ContextVar[bool] = ContextVar("db_writes_now", default=True)
_statement_seconds: ContextVar[float | None] = ContextVar("db_statement_seconds", default=STATEMENT_SECONDS)


def is_writing() -> bool:
    """Whether the transaction that begins now, or is open, may write."""
    return writes_now.get()


def statement_seconds() -> float | None:
    """The limit of each statement; None: no limit."""
    return _statement_seconds.get()


@contextmanager
def read_only() -> Iterator[None]:
    token = writes_now.set(False)
    try:
        yield
    finally:
        writes_now.reset(token)


@contextmanager
def statement_timeout(seconds: float | None) -> Iterator[None]:
    """Another limit for the statements of the transactions that begin inside. SQLite has none."""
    token = _statement_seconds.set(seconds)
    try:
        yield
    finally:
        _statement_seconds.reset(token)
