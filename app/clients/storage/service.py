"""The external Storage Service: multipart uploads, in the name of whoever calls this service."""

from __future__ import annotations

from collections.abc import Iterator
from secrets import token_hex
from typing import BinaryIO
from urllib.parse import urlencode

import orjson
import structlog

from app.base.errors import Unauthenticated
from app.clients.policy.parsing import TOKEN
from app.clients.storage.http import Answer, Body, StorageHttp, failed, missing
from app.clients.storage.interface import Caller, Content, Key, Stored, Unlistable, part_of, refused
from app.config.settings import Settings

log = structlog.get_logger(__name__)

MOST_REFERENCE = 200
MOST_JSON_BYTES = 64 * 1024
HEALTH_SECONDS = 5.0


class StorageService:
    """Its names for our objects are kept: it removes by them, and finds by ours."""

    name, needs_caller = "service", True

    def __init__(self, settings: Settings) -> None:
        self._url = settings.storage_service_url.rstrip("/")
        self._http = StorageHttp(settings.threads)

    def put(self, key: Key, file: BinaryIO, size: int, media_type: str, caller: Caller) -> str:
        boundary = token_hex(16)
        headers = _headers(caller) | {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        body = Body(file, size, _before(key, boundary, media_type), f"\r\n--{boundary}--\r\n".encode())
        answer = self._http.exchange("POST", f"{self._url}/upload/proxy", headers, caller.deadline, body)
        if answer.status not in (200, 201):
            raise failed(answer)
        return _reference(answer)

    def open(self, key: Key, caller: Caller, *, start: int = 0, end: int | None = None) -> Content:
        """Download the whole object, whatever the range: the protocol knows no ranges."""
        url = f"{self._url}/download/proxy?{urlencode(_place(key))}"
        answer = self._http.exchange("GET", url, _headers(caller), caller.deadline)
        if answer.status == 404:
            raise missing(answer)
        if answer.status != 200:
            raise failed(answer)
        if answer.headers.get("content-type", "").startswith("text/html"):
            raise failed(answer)
        start, length = part_of(answer.size, start, end)
        answer.file.seek(start)
        return Content(answer.file, answer.size, length)

    def remove(self, key: Key, reference: str, caller: Caller) -> None:
        if not reference:
            # Its answer to the upload was lost, so nobody knows what it calls this, if it has it.
            log.warning("stored_file_uncertain", key=str(key), remedy="look for it in the Storage Service")
            return
        headers = _headers(caller) | {"Content-Type": "application/json"}
        body = orjson.dumps({"file_id": reference, "physical": True})
        answer = self._http.exchange("DELETE", f"{self._url}/delete", headers, caller.deadline, body)
        if answer.status not in (200, 202, 204, 404):
            raise failed(answer)
        answer.file.close()

    def stored(self) -> Iterator[Stored]:
        raise Unlistable()

    def check_health(self) -> None:
        answer = self._http.exchange("GET", f"{self._url}/health", {}, Caller.within(HEALTH_SECONDS).deadline)
        if answer.status >= 500:
            raise failed(answer)
        answer.file.close()


def _place(key: Key) -> dict[str, str]:
    return {"bucket_type": key.bucket_type, "bucket_id": str(key.bucket_id), "logical_path": key.path}


def _headers(caller: Caller) -> dict[str, str]:
    """Raises Unauthenticated: a verified token may still carry junk, as base64 decoders skip it."""
    if not TOKEN.fullmatch(caller.token):
        raise Unauthenticated("The access token is malformed.")
    return {"Cookie": f"access_token={caller.token}"}


def _before(key: Key, boundary: str, media_type: str) -> bytes:
    """RFC 7578. Every value is one of ours, and has nothing to escape."""
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in _place(key).items()
    )
    name = key.path.rpartition("/")[2]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{fields}{file}Content-Type: {media_type}\r\n\r\n".encode()


def _reference(answer: Answer) -> str:
    """Raises BadGateway for an answer that names no file."""
    try:
        with answer.file:
            found = orjson.loads(answer.file.read(MOST_JSON_BYTES + 1))
    except orjson.JSONDecodeError:
        raise refused() from None
    reference = found.get("file_id") if isinstance(found, dict) else None
    if not isinstance(reference, str) or not 0 < len(reference) <= MOST_REFERENCE or not reference.isprintable():
        raise refused()
    return reference
