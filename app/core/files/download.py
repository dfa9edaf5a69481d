"""Downloads: attachments that browsers do not display, whole or one range of bytes."""

import re
import unicodedata
from urllib.parse import quote

from flask import Response, request
from werkzeug.datastructures import Headers
from werkzeug.wsgi import wrap_file

from app.base.errors import ApiError
from app.clients.storage.interface import Content, refused

BINARY = {"type": "string", "format": "binary"}
# A browser runs no script of the file and keeps it from other pages.
SANDBOX = {"Content-Security-Policy": "sandbox", "X-Content-Type-Options": "nosniff"}
ATTRIBUTE_CHARACTERS = "!#$&+-.^_`|~"
"""RFC 8187, section 3.2.1; quote() would escape these."""


class RangeNotSatisfiable(ApiError):
    status, code, message = 416, "RANGE_NOT_SATISFIABLE", "The file has no such part."

    def __init__(self, size: int) -> None:
        super().__init__(headers={"Content-Range": f"bytes */{size}"})


EMPTY_SUFFIX = re.compile(r" *bytes=-0+ *", re.IGNORECASE)
"""Unsatisfiable (RFC 9110, section 14.1.2); werkzeug sees no range in it."""


def requested_range(size: int, tag: str) -> tuple[int, int] | None:
    """First byte and end; None for the whole file, and for several ranges. Raises RangeNotSatisfiable."""
    if request.method != "GET" or not _is_current(tag):
        return None
    if EMPTY_SUFFIX.fullmatch(request.headers.get("Range", "")):
        raise RangeNotSatisfiable(size)
    header = request.range
    if header is None or header.units != "bytes" or len(header.ranges) != 1:
        return None
    start, end = header.ranges[0]
    start = max(start + size, 0) if start < 0 else start
    if start >= size:
        raise RangeNotSatisfiable(size)
    return start, min(end or size, size)


def _is_current(tag: str) -> bool:
    """RFC 9110, section 13.1.5: a weak tag or a date does not match. ``request.if_range`` drops the weakness."""
    return request.headers.get("If-Range", f'"{tag}"').strip() == f'"{tag}"'


def download(
    content: Content, byte_range: tuple[int, int] | None, *, size: int, name: str, media_type: str, tag: str
) -> Response:
    """``content`` is the range of the file, or the whole. Raises BadGateway unless the file has that size."""
    start, end = byte_range or (0, size)
    if (content.size, content.length) != (size, end - start):
        content.file.close()
        raise refused()
    # A server's sendfile would continue to the end of the file.
    body = content.chunks() if byte_range else wrap_file(request.environ, content.file)
    response = Response(body, 206 if byte_range else 200, content_type=media_type, direct_passthrough=not byte_range)
    # A generator that never started closes nothing.
    response.call_on_close(content.file.close)
    response.content_length = content.length
    if byte_range:
        response.content_range.set(start, end, size)
    response.headers.extend(download_headers(name) | {"Accept-Ranges": "bytes", "ETag": f'"{tag}"'})
    return response


def download_headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": disposition(name), **SANDBOX}


def disposition(name: str) -> str:
    """RFC 6266, section 4.1 and appendix D: ASCII for old clients, and the full name (RFC 8187)."""
    plain = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().strip(" .") or "file"
    names = {"filename": plain.replace("%", "_")}
    if names["filename"] != name:
        names["filename*"] = f"UTF-8''{quote(name, safe=ATTRIBUTE_CHARACTERS)}"
    headers = Headers()
    headers.set("Content-Disposition", "attachment", **names)
    return headers["Content-Disposition"]
