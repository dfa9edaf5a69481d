"""Every exception becomes one problem document: RFC 9457, plus the members that existing clients read."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import orjson
import structlog
from flask import Flask, Response, current_app, g, request
from sqlalchemy import exc
from sqlalchemy.orm.exc import StaleDataError
from werkzeug.exceptions import HTTPException
from werkzeug.http import HTTP_STATUS_CODES

from app.base.errors import ApiError, Conflict, Invalid, PreconditionFailed
from app.base.text import printable
from app.core.db.faults import FAULTS, fault_of

log = structlog.get_logger(__name__)

HTTP_CODES = {404: "NOT_FOUND", 405: "METHOD_NOT_ALLOWED"}


def problem_document(error: ApiError) -> dict[str, Any]:
    document: dict[str, Any] = {
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
        document["errors"] = error.errors
    return document | error.members


def render(error: ApiError) -> Response:
    g.error_code = error.error_code
    response = Response(
        orjson.dumps(problem_document(error), default=str, option=orjson.OPT_NON_STR_KEYS),
        error.status,
        mimetype="application/problem+json",
    )
    response.headers.update(error.headers)
    return response


def install_error_handlers(app: Flask) -> None:
    for error, handler in HANDLERS.items():
        app.register_error_handler(error, handler)


def render_http(error: HTTPException) -> Any:
    status = error.code or 500
    if status < 400:
        return error.get_response()
    problem = ApiError(HTTP_DETAILS.get(status, HTTP_STATUS_CODES.get(status, "Error") + "."))
    problem.status = status  # type: ignore[misc]
    problem.error_code = HTTP_CODES.get(status, "BAD_REQUEST" if status < 500 else "INTERNAL_ERROR")
    allowed = getattr(error, "valid_methods", None)
    if allowed:
        problem.headers["Allow"] = ", ".join(sorted(allowed))
    return render(problem)


HTTP_DETAILS = {
    404: "There is nothing at this path.",
    405: "This path does not take this method.",
}

UNIQUE, FOREIGN_KEY = "23505", "23503"


def _render_integrity_error(error: exc.IntegrityError) -> Response:
    """Conflict; only the constraint can detect such a race. The body names the field."""
    kind, columns = violation_of(error)
    if kind == UNIQUE and columns:
        return render(Conflict.field(_field_of(columns[-1])))
    if kind == FOREIGN_KEY:
        return render(Conflict("This is still in use, or what it refers to is gone."))
    log.error("constraint_violated", constraint=kind)
    return render(Conflict("The values contradict a rule of the directory."))


def violation_of(error: exc.IntegrityError) -> tuple[str, list[str]]:
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
        for rule in (*table.constraints, *table.indexes):
            if rule.name == constraint:
                return [column.name for column in rule.columns]
    return []


def _field_of(column: str) -> str:
    """The field of a column; a case-folded column belongs to the field of its source."""
    tables = current_app.extensions["sqlalchemy"].metadata.tables.values()
    fields = (table.c[column].info.get("stands_for") for table in tables if column in table.c)
    return next(filter(None, fields), column)


def _render_fault(error: Exception) -> Response:
    fault = fault_of(error)
    log.warning(fault.error_code.lower(), reason=type(getattr(error, "orig", error)).__name__)
    return render(fault)


NOT_MIGRATED = ("42P01", "42703")
"""SQLSTATEs of an undefined table and an undefined column."""


def _render_programming_error(error: exc.ProgrammingError) -> Response:
    if getattr(error.orig, "sqlstate", "") in NOT_MIGRATED:
        return _render_fault(error)
    return _render_bug(error)


def _render_bug(error: Exception) -> Response:
    log.error("unhandled_exception", exc_info=error)
    return render(ApiError())


HANDLERS: dict[type[Exception], Callable[[Any], Any]] = {
    ApiError: render,
    HTTPException: render_http,
    exc.IntegrityError: _render_integrity_error,
    StaleDataError: lambda _: render(PreconditionFailed() if request.headers.get("If-Match") else Conflict()),
    exc.ProgrammingError: _render_programming_error,
    # Another transaction deleted a row that this request had read.
    exc.NoResultFound: lambda _: render(Conflict()),
    **dict.fromkeys(FAULTS, _render_fault),
    exc.DataError: lambda _: render(Invalid("A value does not fit the field that it is meant for.")),
    Exception: _render_bug,
}
