"""Versions of rows as entity tags: conditional reads and writes."""

from flask import request

from app.base.errors import PreconditionFailed


def etag(row_version: int) -> str:
    return f'"{row_version}"'


def is_unchanged(row_version: int) -> bool:
    """If-None-Match, compared weakly (RFC 9110 section 13.1.2)."""
    return "If-None-Match" in request.headers and request.if_none_match.contains_weak(str(row_version))


def check_if_match(row_version: int) -> None:
    """RFC 9110 section 13.1.1, by version only. Raises PreconditionFailed."""
    if request.headers.get("If-Match") is None:
        return
    if not request.if_match.contains_weak(str(row_version)):
        raise PreconditionFailed()
