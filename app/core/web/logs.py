"""Structured logs: one line per request, JSON on standard output, secrets redacted."""

import logging
import re
import sys
import time
from collections.abc import MutableMapping
from typing import Any

import orjson
import structlog
from flask import Flask, Response, g, request

from app.config.settings import Settings

SECRET_NAMES = re.compile(
    r"password|secret|token|cookie|authorization|otp|portal|credential|e-?mail|api_?key", re.IGNORECASE
)
ADDRESS = re.compile(r"[^\s@\"'<>]+@[^\s@\"'<>]+")
JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")

log = structlog.get_logger("request")


def configure(settings: Settings) -> None:
    level = logging.getLevelName(settings.log_level)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            redact,
            structlog.processors.JSONRenderer(serializer=orjson.dumps, default=str),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.BytesLoggerFactory(sys.stdout.buffer),
        cache_logger_on_first_use=settings.flask_env != "testing",
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)


def redact(_logger: Any, _name: str, line: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Blank values whose names suggest secrets. Cut addresses and tokens out of all other texts."""
    for name, value in line.items():
        if SECRET_NAMES.search(name):
            line[name] = "[redacted]"
        elif isinstance(value, str) and ("@" in value or "eyJ" in value):
            line[name] = JWT.sub("[redacted]", ADDRESS.sub("[redacted]", value))
    return line


def install_request_log(app: Flask, settings: Settings) -> None:
    app.before_request(_start_clock)
    if logging.getLevelName(settings.log_level) <= logging.INFO:
        app.after_request(_log_request)


def _start_clock() -> None:
    g.started = time.perf_counter()


def _log_request(response: Response) -> Response:
    principal = g.get("principal")
    log.info(
        "request",
        request_id=g.get("request_id"),
        method=request.method,
        route=request.url_rule.rule if request.url_rule else None,
        status=response.status_code,
        ms=round((time.perf_counter() - g.started) * 1000, 2),
        user_id=principal and principal.user_id,
        company_id=principal and principal.company_id,
        error_code=g.get("error_code"),
        ip=request.remote_addr,
    )
    return response
