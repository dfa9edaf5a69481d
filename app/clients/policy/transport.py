"""Calls to a remote policy engine: one deadline for a whole call, and a bound on the calls in flight."""

import time
from collections.abc import Mapping
from threading import Semaphore

import structlog

from app.base.errors import ApiError, BadGateway, GatewayTimeout, Unavailable
from app.clients.http.client import HttpClient
from app.clients.http.message import Request, Response
from app.clients.http.origin import Origin
from app.clients.http.per_process import PerProcess
from app.clients.http.transfer import CallFailed
from app.clients.policy.parsing import MAX_BODY_BYTES, Reply
from app.clients.policy.request import TooManyInFlight

log = structlog.get_logger(__name__)

_MESSAGES: Mapping[type[ApiError], str] = {
    GatewayTimeout: "The policy engine did not answer in time.",
    Unavailable: "The policy engine cannot be reached.",
    BadGateway: "The policy engine gave no usable answer.",
}


class RemoteTransport:
    """``timeout`` is in seconds, for a call in all."""

    def __init__(self, base_url: str, timeout: float, max_in_flight: int) -> None:
        """Raises ValueError for a URL that is not ``http(s)://host[:port][/prefix]``."""
        self._origin, self._base_url = Origin.parse(base_url), base_url.rstrip("/")
        self._timeout = timeout
        self.max_in_flight = max_in_flight
        self.client = HttpClient()
        self._permits = PerProcess(lambda: Semaphore(max_in_flight))

    @property
    def permits(self) -> Semaphore:
        return self._permits.get()

    def path_of(self, url: str) -> str | None:
        """The path of a URL on the engine's own origin; None for any other URL."""
        return self._origin.path_of(url)

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
            log.warning("policy_engine_busy", cause="too many calls in flight")
            raise TooManyInFlight("The policy engine is busy.")
        try:
            return reply_of(self.client.send(request, self.deadline() if deadline is None else deadline))
        except CallFailed as failure:
            raise translate(failure) from failure
        finally:
            permits.release()

    def close(self) -> None:
        """Close the idle connections; later calls open new ones."""
        self.client.close()


def reply_of(response: Response) -> Reply:
    response.body.seek(0)
    return Reply(response.status, response.headers.get("content-type", ""), response.body.read(), response.is_cut)


def translate(failure: CallFailed) -> ApiError:
    log.warning("policy_engine_failed", cause=failure.cause)
    return failure.error(_MESSAGES[failure.error])
