"""Endpoints of an AuthZEN engine: by its discovery document (AuthZEN 1.0, PDP Metadata) or by the default paths."""

import threading
import time
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog

from app.base.errors import ApiError
from app.clients.http.per_process import PerProcess
from app.clients.policy.parsing import ACCEPT, Reply, parse_object
from app.clients.policy.request import TooManyInFlight
from app.clients.policy.transport import RemoteTransport

log = structlog.get_logger(__name__)

WELL_KNOWN = "/.well-known/authzen-configuration"
RETRY_SECONDS = 30.0


class Endpoints(NamedTuple):
    """Paths on the engine's host. ``evaluations`` is None for an engine that takes no batches."""

    evaluation: str
    evaluations: str | None


class Discovery:
    """Looks the document up before the first question, and again later only if the engine did not answer.

    While one thread looks it up, the others go by the default paths. With an engine that hangs they
    would all wait here, outside the bound on calls in flight.
    """

    def __init__(self, url: str, transport: RemoteTransport) -> None:
        self._url, self._transport = url.rstrip("/"), transport
        prefix = urlsplit(self._url).path
        self.path = WELL_KNOWN + prefix
        self._endpoints = Endpoints(f"{prefix}/access/v1/evaluation", f"{prefix}/access/v1/evaluations")
        self._due: float | None = 0.0
        self._locks = PerProcess(threading.Lock)

    def endpoints(self, deadline: float) -> Endpoints:
        """Never fails. It may take half of the time that is left until the deadline."""
        lock = self._locks.get()
        if self._due is not None and lock.acquire(blocking=False):
            try:
                self._look_up(deadline)
            finally:
                lock.release()
        return self._endpoints

    def _look_up(self, deadline: float) -> None:
        now = time.monotonic()
        if self._due is None or now < self._due:
            return
        self._due = now + RETRY_SECONDS
        try:
            reply = self._transport.send("GET", self.path, b"", ACCEPT, deadline=now + (deadline - now) / 2)
            self._due = None if reply.status < 500 and reply.status != 429 else self._due
            self._endpoints = self._choose_endpoints(reply)
        except TooManyInFlight:
            self._due = now
        except ApiError as error:
            log.info("policy_engine_not_discovered", reason=type(error).__name__)

    def _choose_endpoints(self, reply: Reply) -> Endpoints:
        """The document's endpoints, if it is about this engine; else the present ones."""
        if reply.status != 200:
            return self._endpoints
        document = parse_object(reply)
        url = document.get("policy_decision_point")
        # Another host would receive our token, and make the decision.
        path_of = self._transport.path_of
        evaluation = path_of(document.get("access_evaluation_endpoint"))
        if not isinstance(url, str) or url.rstrip("/") != self._url:
            reason = "it is about another policy_decision_point"
        elif evaluation is None:
            reason = "no evaluation endpoint on the engine's own host"
        else:
            return Endpoints(evaluation, path_of(document.get("access_evaluations_endpoint")))
        log.warning("policy_engine_document_ignored", reason=reason)
        return self._endpoints
