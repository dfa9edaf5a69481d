"""A file that is handed over to be kept, never to be shown: whole, or the one part that is asked for."""

from __future__ import annotations

import re
import unicodedata
from typing import NamedTuple
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.wsgi import wrap_file

from app.base.errors import ApiError
from app.clients.storage.interface import Content, refused

BINARY = {"type": "string", "format": "binary"}
# Whatever a browser makes of it, it runs nothing and reaches nobody.
SANDBOX = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"
"""Those of RFC 8187, section 3.2.1, that quote() would escape."""


class RangeNotSatisfiable(ApiError):
    status, code, message = 416, "RANGE_NOT_SATISFIABLE", "The file has no such part."


class Part(NamedTuple):
    """The bytes from ``start`` to before ``end``."""

    start: int
    end: int


ONE_PART = re.compile(r"bytes=(?:([0-9]{1,18})-([0-9]{0,18})|-([0-9]{1,18}))", re.IGNORECASE)


def wanted_part(size: int, tag: str) -> Part | None:
    """None for the whole: it is what is asked for, or several parts are (RFC 9110, section 14.2).

    Raises RangeNotSatisfiable.
    """
    wanted = ONE_PART.fullmatch(request.headers.get("Range", "").strip())
    if request.method != "GET" or wanted is None:
        return None
    if "If-Range" in request.headers and request.headers["If-Range"].strip() != f'"{tag}"':
        # Section 13.1.5: a weak tag and a date do not do either.
        return None
    first, last, suffix = (None if each in (None, "") else int(each) for each in wanted.groups())
    if first is None:
        return _part(size - min(suffix or 0, size), size, size)
    if last is not None and last < first:
        return None
    return _part(first, size if last is None else min(last + 1, size), size)


def _part(start: int, end: int, size: int) -> Part:
    if start >= size:
        raise RangeNotSatisfiable(headers={"Content-Range": f"bytes */{size}"})
    return Part(start, end)


def sent(content: Content, part: Part | None, *, size: int, name: str, media_type: str, tag: str) -> Response:
    """``content`` is that part of the file, or the whole. Raises BadGateway unless the file has that size."""
    expected = part.end - part.start if part else size
    if (content.size, content.length) != (size, expected):
        content.file.close()
        raise refused()
    # What a server sends with sendfile goes on to the end of the file.
    body = content.chunks() if part else wrap_file(request.environ, content.file)
    found = Response(body, 206 if part else 200, content_type=media_type, direct_passthrough=True)
    found.content_length = content.length
    if part:
        found.headers["Content-Range"] = f"bytes {part.start}-{part.end - 1}/{content.size}"
    found.headers.extend(headers_of(name) | {"Accept-Ranges": "bytes", "ETag": f'"{tag}"'})
    return found


def headers_of(name: str) -> dict[str, str]:
    return {"Content-Disposition": disposition(name), **SANDBOX}


def disposition(name: str) -> str:
    """RFC 6266, section 4.1 and appendix D: ASCII for old readers, and all of it (RFC 8187)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().strip(" .") or "file"
    names = {"filename": plain.replace("%", "_")}
    if names["filename"] != name:
        names["filename*"] = f"UTF-8''{quote(name, safe=ATTRIBUTE_CHARACTERS)}"
    headers = Headers()
    headers.set("Content-Disposition", "attachment", **names)
    return headers["Content-Disposition"]
