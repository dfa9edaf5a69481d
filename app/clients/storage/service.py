"""The external Storage Service: multipart uploads, in the caller's name."""

from collections.abc import Iterator
from secrets import token_hex
from typing import BinaryIO
from urllib.parse import urlencode

import orjson
import structlog

from app.clients.http.message import FileBody
from app.clients.policy.parsing import token_cookie
from app.clients.storage.exchange import StorageExchange, StoredReply
from app.clients.storage.interface import Content, Key, Missing, StorageCaller, Stored, Unlistable, refused
from app.config.settings import Settings

log = structlog.get_logger(__name__)

MOST_REFERENCE = 200
MOST_JSON_BYTES = 64 * 1024


class StorageService:
    """The service finds objects by our names and removes them by its own, which are stored as references."""

    name, needs_caller = "service", True

    def __init__(self, settings: Settings) -> None:
        self._url = settings.storage_service_url.rstrip("/")
        self._exchange = StorageExchange(settings.threads)

    def put(self, key: Key, file: BinaryIO, size: int, media_type: str, caller: StorageCaller) -> str:
        boundary = token_hex(16)
        headers = token_cookie(caller.token) | {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        body = FileBody(file, size, _before(key, boundary, media_type), f"\r\n--{boundary}--\r\n".encode())
        url = f"{self._url}/upload/proxy"
        return _reference(self._exchange.send("POST", url, headers, caller.deadline, body, statuses=(200, 201)))

    def open(self, key: Key, caller: StorageCaller, *, start: int = 0, end: int | None = None) -> Content:
        """Download the whole object, whatever the range: the protocol knows no ranges."""
        url = f"{self._url}/download/proxy?{urlencode(_place(key))}"
        reply = self._exchange.send("GET", url, token_cookie(caller.token), caller.deadline, statuses=(200, 404))
        if reply.status == 404:
            reply.file.close()
            raise Missing()
        if reply.headers.get("content-type", "").startswith("text/html"):
            raise reply.refusal()
        return reply.content(start, end)

    def remove(self, key: Key, reference: str, caller: StorageCaller) -> None:
        if not reference:
            # The reply to the upload was lost, and with it the service's name for the object.
            log.warning("stored_file_uncertain", key=str(key), remedy="look for it in the Storage Service")
            return
        headers = token_cookie(caller.token) | {"Content-Type": "application/json"}
        body = orjson.dumps({"file_id": reference, "physical": True})
        url, statuses = f"{self._url}/delete", (200, 202, 204, 404)
        self._exchange.send("DELETE", url, headers, caller.deadline, body, statuses=statuses).file.close()

    def stored(self) -> Iterator[Stored]:
        raise Unlistable()

    def check_health(self) -> None:
        self._exchange.check_health("GET", f"{self._url}/health", range(500))


def _place(key: Key) -> dict[str, str]:
    return {"bucket_type": key.bucket_type, "bucket_id": str(key.bucket_id), "logical_path": key.path}


def _before(key: Key, boundary: str, media_type: str) -> bytes:
    """RFC 7578. Every value is one of ours, and has nothing to escape."""
    fields = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in _place(key).items()
    )
    name = key.path.rpartition("/")[2]
    file = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    return f"{fields}{file}Content-Type: {media_type}\r\n\r\n".encode()


def _reference(reply: StoredReply) -> str:
    """Raises BadGateway for a reply that names no file."""
    try:
        with reply.file:
            document = orjson.loads(reply.file.read(MOST_JSON_BYTES + 1))
    except orjson.JSONDecodeError:
        raise refused() from None
    reference = document.get("file_id") if isinstance(document, dict) else None
    if not isinstance(reference, str) or not 0 < len(reference) <= MOST_REFERENCE or not reference.isprintable():
        raise refused()
    return reference
