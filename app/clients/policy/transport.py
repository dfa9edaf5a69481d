"""Calls to a remote policy engine: one deadline for a whole call, and a bound on the calls in flight."""

import time
from collections import deque
from collections.abc import Generator, Mapping
from contextlib import ExitStack
from io import BytesIO
from threading import Semaphore
from typing import TypeVar
from urllib.parse import urlsplit

import structlog

from app.base.errors import ApiError, BadGateway, GatewayTimeout, Unavailable
from app.clients.http.client import HttpClient
from app.clients.http.message import Request, Response
from app.clients.http.per_process import PerProcess
from app.clients.http.transfer import CallFailed, Transfer, seconds_left
from app.clients.policy.parsing import MAX_BODY_BYTES, Reply
from app.clients.policy.request import TooManyInFlight

log = structlog.get_logger(__name__)

Key = TypeVar("Key")
PORTS = {"http": 80, "https": 443}
_MESSAGES: Mapping[type[ApiError], str] = {
    GatewayTimeout: "The policy engine did not answer in time.",
    Unavailable: "The policy engine cannot be reached.",
    BadGateway: "The policy engine gave no usable answer.",
}


class RemoteTransport:
    """``timeout`` is in seconds, for a call in all."""

    def __init__(self, base_url: str, timeout: float, max_in_flight: int) -> None:
        """Raises ValueError for a URL that is not ``http(s)://host[:port][/prefix]``."""
        self._origin, self._base_url = _origin_of(base_url), base_url.rstrip("/")
        self._timeout, self._client = timeout, HttpClient()
        self._permits = PerProcess(lambda: Semaphore(max_in_flight))
        shared = max(1, max_in_flight - max_in_flight // 5)
        self._shared_permits = PerProcess(lambda: Semaphore(shared))

    def path_of(self, url: object) -> str | None:
        """The path of a URL on the engine's own origin. None for others, and for paths that no request can name."""
        try:
            is_own = isinstance(url, str) and _origin_of(url) == self._origin
        except ValueError:
            return None
        path = urlsplit(str(url)).path
        return path if is_own and path.startswith("/") and path.isprintable() and " " not in path else None

    def deadline(self) -> float:
        """Deadline of a call that begins now, on the monotonic clock."""
        return time.monotonic() + self._timeout

    def request(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], max_bytes: int = MAX_BODY_BYTES
    ) -> Request:
        return Request(method, self._base_url + path, headers, body, max_bytes)

    def send(
        self, method: str, path: str, body: bytes, headers: Mapping[str, str], *, deadline: float | None = None
    ) -> Reply:
        """Raises BadGateway, Unavailable or GatewayTimeout, and ValueError before anything is sent."""
        request = self.request(method, path, body, headers)
        permits = self._permits.get()
        if not permits.acquire(blocking=False):
            raise _too_many()
        try:
            return _reply_of(self._client.send(request, self.deadline() if deadline is None else deadline))
        except CallFailed as failure:
            raise _translate(failure) from failure
        finally:
            permits.release()

    def send_all(self, requests: Mapping[Key, Request], deadline: float) -> Generator[tuple[Key, Reply], None, None]:
        """Send requests side by side on this thread; replies come in any order.

        Waits for permits until the deadline. A fifth of them is left to permission checks, which fail at
        once without one. Raises as ``send``; an error, or closing the iterator, gives up the calls under way.
        """
        queue, under_way, replies = deque(requests.items()), dict[Transfer, Key](), list[tuple[Key, Reply]]()
        permits = _Permits(self._shared_permits.get(), self._permits.get())
        try:
            with self._client.exchanges() as exchanges:
                while queue or under_way:
                    while queue and permits.acquire(deadline):
                        key, request = queue.popleft()
                        under_way[exchanges.begin(request, deadline, BytesIO())] = key
                    yield from replies  # parsed while the next calls are under way
                    responses = exchanges.wait(deadline)
                    replies = [(under_way.pop(transfer), _reply_of(response)) for transfer, response in responses]
                    permits.release(len(replies))
            yield from replies
        except CallFailed as failure:
            raise _translate(failure) from failure
        finally:
            permits.release(permits.count)

    def close(self) -> None:
        """Close the idle connections; later calls open new ones."""
        self._client.close()


def _origin_of(url: str) -> tuple[str, str, int]:
    """Scheme, host and port (RFC 6454). Raises ValueError for a URL that is not ``http(s)://host[:port][/path]``."""
    parts = urlsplit(url)
    host = (parts.hostname or "").encode("idna").decode()
    if parts.scheme not in PORTS or not host or not url.isascii():
        raise ValueError("The URL must be http(s)://host in ASCII.")
    if "@" in parts.netloc or "?" in url or "#" in url:
        raise ValueError("The URL must have no credentials, query or fragment.")
    return parts.scheme, host, parts.port or PORTS[parts.scheme]


class _Permits:
    """Permits of calls that belong together. Each call needs one of every semaphore."""

    def __init__(self, *semaphores: Semaphore) -> None:
        self._semaphores, self.count = semaphores, 0

    def acquire(self, deadline: float) -> bool:
        """Wait for the first permit until the deadline, for no other. Raises TooManyInFlight without the first one."""
        with ExitStack() as stack:
            for semaphore in self._semaphores:
                is_free = semaphore.acquire(blocking=False)
                if not is_free and self.count:
                    return False
                if not is_free and not semaphore.acquire(timeout=seconds_left(deadline)):
                    raise _too_many()
                stack.callback(semaphore.release)
            stack.pop_all()
        self.count += 1
        return True

    def release(self, count: int) -> None:
        self.count -= count
        for _ in range(count):
            for semaphore in self._semaphores:
                semaphore.release()


def _too_many() -> TooManyInFlight:
    log.warning("policy_engine_busy", cause="too many calls in flight")
    return TooManyInFlight("The policy engine is busy.")


def _reply_of(response: Response) -> Reply:
    response.body.seek(0)
    return Reply(response.status, response.headers.get("content-type", ""), response.body.read(), response.is_cut)


def _translate(failure: CallFailed) -> ApiError:
    log.warning("policy_engine_failed", cause=failure.cause)
    return failure.error(_MESSAGES[failure.error])
