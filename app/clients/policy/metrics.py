"""Counters of the policy engine's client for Prometheus; nothing here is served anywhere."""

import time
from contextlib import nullcontext

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from app.base.errors import BadGateway, Forbidden, GatewayTimeout, Unauthenticated, Unavailable
from app.clients.http.breaker import Breaker, CircuitOpen, Outcome, State
from app.clients.policy.guardian import TokenRefused
from app.clients.policy.request import AccessRequest, PolicyEngine, TooManyInFlight

log = structlog.get_logger(__name__)

BUCKETS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)

GRANTED, BROKEN = "granted", "error"
# The first fitting row counts: a subclass stands before its base.
OUTCOMES: tuple[tuple[type[BaseException], str, Outcome], ...] = (
    (Forbidden, "denied", Outcome.SUCCESS),
    (TokenRefused, "token_refused", Outcome.SUCCESS),
    (TooManyInFlight, "too_many_in_flight", Outcome.UNKNOWN),
    (CircuitOpen, "circuit_open", Outcome.UNKNOWN),
    (Unauthenticated, "not_asked", Outcome.UNKNOWN),
    (BadGateway, "unusable", Outcome.FAILURE),
    (GatewayTimeout, "late", Outcome.FAILURE),
    (Unavailable, "unreachable", Outcome.FAILURE),
    (BaseException, BROKEN, Outcome.UNKNOWN),
)


def outcome_name(error: BaseException | None) -> str:
    return GRANTED if error is None else next(name for kind, name, _ in OUTCOMES if isinstance(error, kind))


def outcome_of(error: BaseException | None) -> Outcome:
    """A denial is a success, and so is the refusal of one caller's token: neither may open everybody's circuit."""
    if error is None:
        return Outcome.SUCCESS
    return next(outcome for kind, _, outcome in OUTCOMES if isinstance(error, kind))


class PolicyCounters:
    """One per process. A name is looked up once here and not at every check: labels() costs more than inc()."""

    def __init__(self, registry: CollectorRegistry) -> None:
        checks = Counter(
            "identity_policy_checks", "Permission checks by what became of them.", ["outcome"], registry=registry
        )
        names = [GRANTED, *(name for _, name, _ in OUTCOMES)]
        self._checks = {name: checks.labels(name) for name in names}
        remembered = Counter("identity_policy_cache", "Look-ups of remembered grants.", ["result"], registry=registry)
        self.hits, self.misses = remembered.labels("hit"), remembered.labels("miss")
        self._seconds = Histogram(
            "identity_policy_check_seconds",
            "Time until the engine decided or failed.",
            buckets=BUCKETS,
            registry=registry,
        )
        self._breaker = Gauge(
            "identity_policy_breaker_state",
            "0: calls pass, 1: one is tried, 2: calls are refused.",
            multiprocess_mode="livemax",
            registry=registry,
        )

    def note_breaker(self, state: State) -> None:
        self._breaker.set(state)
        log.warning("policy_engine_circuit", state=state.name.lower())

    def note(self, error: BaseException | None, seconds: float) -> None:
        name = outcome_name(error)
        self._checks[name].inc()
        if name not in ("too_many_in_flight", "circuit_open", "not_asked"):
            self._seconds.observe(seconds)


def policy_breaker(counters: PolicyCounters) -> Breaker:
    return Breaker(outcome_of, "The policy engine is not available.", counters.note_breaker)


class MeteredEngine:
    """An engine behind its breaker, if it has one, with every check counted."""

    def __init__(self, engine: PolicyEngine, counters: PolicyCounters, breaker: Breaker | None = None) -> None:
        self._engine, self._counters = engine, counters
        self._guard = breaker.call if breaker else nullcontext

    def check(self, *questions: AccessRequest, token: str, request_id: str) -> None:
        started = time.perf_counter()
        try:
            with self._guard():
                self._engine.check(*questions, token=token, request_id=request_id)
        except BaseException as error:
            self._counters.note(error, time.perf_counter() - started)
            raise
        self._counters.note(None, time.perf_counter() - started)
