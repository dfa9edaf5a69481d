"""Structured logs: one line per request, in the form of ``log_lines``."""

import logging
import sys
import time

import click
import orjson
import structlog
from flask import Flask, Response, g, request

from app.config.settings import Settings
from log_lines import install, redact

log = structlog.get_logger("request")


def configure(settings: Settings) -> None:
    level = logging.getLevelName(settings.log_level)
    # The standard output of a command is its result.
    is_command = click.get_current_context(silent=True) is not None
    stream = sys.stderr if is_command else sys.stdout
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
        logger_factory=structlog.BytesLoggerFactory(stream.buffer),
        cache_logger_on_first_use=settings.flask_env != "testing",
    )
    install()


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
