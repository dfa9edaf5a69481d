"""HTTP with a storage: bodies go from file to file, and a whole exchange has one deadline."""

import time
from collections.abc import Container, Mapping
from contextlib import ExitStack
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, NamedTuple, cast

import structlog

from app.base.errors import ApiError, BadGateway, GatewayTimeout
from app.clients.http.bulkhead import Bulkhead
from app.clients.http.client import HttpClient
from app.clients.http.message import FileBody, Request, Response
from app.clients.http.transfer import CallFailed
from app.clients.storage.interface import Content, part_of, refused, unusable

log = structlog.get_logger(__name__)

MAX_BYTES = 64 * 1024 * 1024
"""Of one reply; more than any file that this service takes."""
MEMORY_BYTES = 1024 * 1024
"""Of one reply; the rest of a longer one waits on disk."""
PATIENCE_SECONDS = 1.0
HEALTH_SECONDS = 5.0


class StoredReply(NamedTuple):
    """``file`` stands at its beginning and holds ``size`` bytes."""

    status: int
    headers: Mapping[str, str]
    file: BinaryIO
    size: int

    def content(self, start: int, end: int | None) -> Content:
        """A part of the object, for a reply that holds the whole."""
        start, length = part_of(self.size, start, end)
        self.file.seek(start)
        return Content(self.file, self.size, length)

    def refusal(self) -> ApiError:
        """The error for an unexpected reply, whose file is closed."""
        log.warning("storage_refused", status=self.status)
        self.file.close()
        return unusable() if self.status in (413, 429, 503, 507) else refused()


class StorageExchange:
    """``threads`` are those of the process: storage takes half of them at most."""

    def __init__(self, threads: int) -> None:
        at_once = max(1, threads // 3)
        self._bulkhead = Bulkhead(at_once, max(1, threads // 6), PATIENCE_SECONDS, "The storage is busy.")
        self._client = HttpClient()

    def send(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str],
        deadline: float,
        body: FileBody | bytes = b"",
        *,
        statuses: Container[int] = (200,),
    ) -> StoredReply:
        """Raises BadGateway, Unavailable and GatewayTimeout unless a whole reply of these statuses came in time."""
        with self._bulkhead.acquire():
            try:
                reply = self._send(Request(method, url, headers, body, MAX_BYTES), deadline)
            except (CallFailed, ValueError) as error:
                raise _translate(error) from error
        if reply.status not in statuses:
            raise reply.refusal()
        return reply

    def check_health(self, method: str, url: str, statuses: Container[int] = (200,)) -> None:
        self.send(method, url, {}, time.monotonic() + HEALTH_SECONDS, statuses=statuses).file.close()

    def _send(self, request: Request, deadline: float) -> StoredReply:
        with ExitStack() as stack:
            file = cast(BinaryIO, stack.enter_context(SpooledTemporaryFile(MEMORY_BYTES)))
            reply = _whole(self._client.send(request, deadline, file), request.method)
            stack.pop_all()
            return reply


def _whole(response: Response, method: str) -> StoredReply:
    """Raises CallFailed for a reply that is too long, or whose end only a closed connection shows."""
    if response.is_cut:
        raise CallFailed(BadGateway, "The reply is too long.")
    if method != "HEAD" and not response.has_framing():
        raise CallFailed(BadGateway, "Nothing tells where the reply ends.")
    size = response.body.tell()
    response.body.seek(0)
    return StoredReply(response.status, response.headers, response.body, size)


def _translate(error: CallFailed | ValueError) -> ApiError:
    log.warning("storage_failed", cause=getattr(error, "cause", type(error).__name__))
    kind = getattr(error, "error", BadGateway)
    if kind is GatewayTimeout:
        return GatewayTimeout("The storage did not answer in time.")
    return refused() if kind is BadGateway else unusable()
