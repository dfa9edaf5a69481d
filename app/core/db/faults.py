"""Faults of the database, by what the caller can expect: a late answer, something in use, or nothing to reach."""

from typing import Any

from sqlalchemy import exc

from app.base.errors import ApiError, SettingsError, Unavailable

FAULTS = (
    exc.OperationalError,
    exc.InterfaceError,
    exc.InternalError,
    exc.NotSupportedError,
    exc.TimeoutError,
    SettingsError,
)
"""What the driver, the pool and the check of the role raise for them."""


class DatabaseUnavailable(Unavailable):
    code, message = "DATABASE_UNAVAILABLE", "The database cannot be reached at the moment."


class DatabaseTimeout(Unavailable):
    code, message = "DATABASE_TIMEOUT", "The database did not answer in time."


class DatabaseBusy(Unavailable):
    code, message = "DATABASE_BUSY", "The database is in use by others at the moment."


SQLSTATES: dict[str, type[Unavailable]] = {
    "57014": DatabaseTimeout,  # query_canceled, also by the statement timeout
    "25P03": DatabaseTimeout,  # idle_in_transaction_session_timeout
    "55P03": DatabaseBusy,  # lock_not_available
    "40P01": DatabaseBusy,  # deadlock_detected
    "40001": DatabaseBusy,  # serialization_failure
}
SQLITE_CODES: dict[int, type[Unavailable]] = {5: DatabaseBusy, 6: DatabaseBusy}
"""Primary result codes: SQLITE_BUSY, SQLITE_LOCKED."""


def fault_of(error: Exception) -> Unavailable:
    """The answer to an exception of ``FAULTS``."""
    if isinstance(error, exc.TimeoutError):
        return DatabaseBusy("All connections to the database are in use at the moment.")
    origin: Any = getattr(error, "orig", None)
    state, code = getattr(origin, "sqlstate", None), getattr(origin, "sqlite_errorcode", 0)
    kind = SQLSTATES.get(state or "", SQLITE_CODES.get(code & 0xFF, DatabaseUnavailable))
    return kind()


def reason_of(error: Exception) -> str:
    """A few words for logs, without the error's text, which may repeat what it is about."""
    if isinstance(error, ApiError):
        return error.detail
    return fault_of(error).error_code if isinstance(error, FAULTS) else type(error).__name__


def is_lost(error: exc.DBAPIError) -> bool:
    """Whether the statement's connection was lost, and not ended for a late answer."""
    return error.connection_invalidated and isinstance(fault_of(error), DatabaseUnavailable)
