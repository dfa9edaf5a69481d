"""The error tree, one handler table, one body (RFC 9457 plus what existing clients read)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy.exc import (
    DataError,
    IntegrityError,
    InterfaceError,
    InternalError,
    NoResultFound,
    NotSupportedError,
    OperationalError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from app.base.errors import ApiError, Conflict, Invalid, PreconditionFailed, SettingsError, Unavailable
from app.base.text import printable

log = structlog.get_logger(__name__)


HTTP_CODES = {
    404: "NOT_FOUND",
    405: "METHOD_NOT_ALLOWED",
    413: "PAYLOAD_TOO_LARGE",
    415: "UNSUPPORTED_MEDIA_TYPE",
}


def problem_document(error: ApiError) -> dict[str, Any]:
    """The problem document of an error, ready for JSON."""
    found: dict[str, Any] = {
        "type": "about:blank",
        "title": HTTP_STATUS_CODES.get(error.status, "Error"),
        "status": error.status,
        "detail": printable(error.detail),
        "message": printable(error.detail),
        "error_code": error.error_code,
        "timestamp": datetime.now(UTC).isoformat(timespec="microseconds")[:-6] + "Z",
        "path": printable(request.path),
        "request_id": g.get("request_id", ""),
    }
    if error.errors is not None:
        found["errors"] = error.errors
    return found


def render(error: ApiError) -> Response:
    g.error_code = error.error_code
    answer = Response(
        orjson.dumps(problem_document(error), default=str, option=orjson.OPT_NON_STR_KEYS),
        error.status,
        mimetype="application/problem+json",
    )
    answer.headers.update(error.headers)
    return answer


def install(app: Flask) -> None:
    app.register_error_handler(ApiError, render)
    app.register_error_handler(HTTPException, render_http)
    app.register_error_handler(IntegrityError, _integrity)
    app.register_error_handler(StaleDataError, _stale)
    app.register_error_handler(ProgrammingError, _programming)
    app.register_error_handler(NoResultFound, _gone)
    for unavailable in (OperationalError, InterfaceError, InternalError, NotSupportedError, PoolTimeout, SettingsError):
        app.register_error_handler(unavailable, _unavailable)
    app.register_error_handler(DataError, _unacceptable)
    app.register_error_handler(Exception, _bug)


def render_http(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    answer = ApiError(HTTP_DETAILS.get(status, HTTP_STATUS_CODES.get(status, "Error") + "."))
    answer.status = status  # type: ignore[misc]
    answer.error_code = HTTP_CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        answer.headers["Allow"] = ", ".join(sorted(allowed))
    return render(answer)


HTTP_DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not take this method.",
    413: "The body is larger than this service takes.",
}

UNIQUE, FOREIGN_KEY = "23505", "23503"


def _integrity(error: IntegrityError) -> Response:
    """A race that only the constraint could see; the body names the field."""
    kind, columns = violation_of(error)
    if kind == UNIQUE and columns:
        return render(Conflict.field(_field_of(columns[-1])))
    if kind == FOREIGN_KEY:
        return render(Conflict("This is still in use, or what it refers to is gone."))
    log.error("constraint_violated", constraint=kind)
    return render(Conflict("The values contradict a rule of the directory."))


def violation_of(error: IntegrityError) -> tuple[str, list[str]]:
    """SQLSTATE (class 23) and, for a unique constraint, the names of its columns in order."""
    state = getattr(error.orig, "sqlstate", None)
    if state is not None:
        return state, _columns_of(error.orig.diag.constraint_name)  # type: ignore[union-attr]
    text = str(error.orig)
    if text.startswith("UNIQUE constraint failed: "):
        return UNIQUE, [name.rpartition(".")[2] for name in text.partition(": ")[2].split(", ")]
    return (FOREIGN_KEY if text.startswith("FOREIGN KEY") else text), []


def _columns_of(constraint: str) -> list[str]:
    for table in current_app.extensions["sqlalchemy"].metadata.tables.values():
        for each in (*table.constraints, *table.indexes):
            if each.name == constraint:
                return [column.name for column in each.columns]
    return []


def _field_of(column: str) -> str:
    """A case-folded column stands for the field that the caller knows."""
    tables = current_app.extensions["sqlalchemy"].metadata.tables.values()
    found = (table.c[column].info.get("stands_for") for table in tables if column in table.c)
    return next((field for field in found if field), column)


def _stale(_error: StaleDataError) -> Response:
    return render(PreconditionFailed() if request.headers.get("If-Match") else Conflict())


def _unavailable(error: Exception) -> Response:
    log.warning("database_unavailable", reason=type(getattr(error, "orig", error)).__name__)
    return render(Unavailable("The database cannot be reached at the moment."))


NOT_MIGRATED = ("42P01", "42703")
"""SQLSTATE of a table or column that is not there."""


def _programming(error: ProgrammingError) -> Response:
    return _unavailable(error) if getattr(error.orig, "sqlstate", "") in NOT_MIGRATED else _bug(error)


def _gone(_error: NoResultFound) -> Response:
    """A row that this request had seen was deleted meanwhile."""
    return render(Conflict())


def _unacceptable(_error: DataError) -> Response:
    return render(Invalid("A value does not fit the field that it is meant for."))


def _bug(error: Exception) -> Response:
    log.error("unhandled_exception", exc_info=error)
    return render(ApiError())
