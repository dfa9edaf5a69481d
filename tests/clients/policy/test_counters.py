"""The counters: every check in exactly one of them, the latency of those that were forwarded, and what it costs."""

import time
from uuid import uuid4

import pytest
from flask import Flask
from prometheus_client import CollectorRegistry, generate_latest
from structlog.testing import capture_logs

from app.base.errors import BadGateway, Forbidden, GatewayTimeout, Unauthenticated, Unavailable
from app.clients.http.breaker import CircuitOpen, Outcome, State
from app.clients.policy.guardian import TokenRefused
from app.clients.policy.metrics import OUTCOMES, MeteredEngine, PolicyCounters, outcome_of, policy_breaker
from app.clients.policy.request import AccessRequest, GrantAll, TooManyInFlight
from app.core.services import services
from tests.fakes.guardian import FakeGuardian, answers, denies, grants
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import flaky, one_database
from tests.support.variants import Variant

# What an engine answers, and what becomes of it, is decided before the database is asked.
pytestmark = one_database

QUESTION = AccessRequest(uuid4(), uuid4(), "customer", "UPDATE")


class Registry(CollectorRegistry):
    def count(self, outcome: str) -> float:
        return self.get_sample_value("identity_policy_checks_total", {"outcome": outcome}) or 0.0

    def timed(self) -> float:
        return self.get_sample_value("identity_policy_check_seconds_count") or 0.0


@pytest.fixture
def registry() -> Registry:
    return Registry()


KINDS = {
    "denied": Forbidden(),
    "token_refused": TokenRefused(),
    "too_many_in_flight": TooManyInFlight(),
    "circuit_open": CircuitOpen(),
    "not_asked": Unauthenticated(),
    "unusable": BadGateway(),
    "late": GatewayTimeout(),
    "unreachable": Unavailable(),
    "error": RuntimeError(),
}
NOT_FORWARDED = {"too_many_in_flight", "circuit_open", "not_asked"}


@pytest.mark.parametrize("name", KINDS)
def test_each_end_of_a_check_is_counted_once_by_its_kind(registry: Registry, name: str) -> None:
    PolicyCounters(registry).note(KINDS[name], 0.002)

    assert {each: registry.count(each) for each in (*KINDS, "granted")} == {
        each: float(each == name) for each in (*KINDS, "granted")
    }
    assert registry.timed() == (0 if name in NOT_FORWARDED else 1)


def test_a_grant_is_counted(registry: Registry) -> None:
    PolicyCounters(registry).note(None, 0.002)

    assert (registry.count("granted"), registry.timed()) == (1, 1)


def test_every_kind_has_its_counter_from_the_start(registry: Registry) -> None:
    PolicyCounters(registry)

    shown = generate_latest(registry).decode()

    assert all(f'identity_policy_checks_total{{outcome="{name}"}} 0.0' in shown for _, name, _ in OUTCOMES)
    assert set(KINDS) == {name for _, name, _ in OUTCOMES}


@pytest.mark.parametrize(
    ("name", "outcome"),
    [
        ("denied", Outcome.SUCCESS),
        ("token_refused", Outcome.SUCCESS),
        ("unusable", Outcome.FAILURE),
        ("late", Outcome.FAILURE),
        ("unreachable", Outcome.FAILURE),
        ("too_many_in_flight", Outcome.UNKNOWN),
        ("circuit_open", Outcome.UNKNOWN),
        ("not_asked", Outcome.UNKNOWN),
        ("error", Outcome.UNKNOWN),
    ],
)
def test_what_a_kind_means_for_the_breaker(name: str, outcome: Outcome) -> None:
    assert outcome_of(KINDS[name]) is outcome


def test_the_state_of_the_breaker_is_shown(registry: Registry) -> None:
    counters = PolicyCounters(registry)
    breaker = policy_breaker(counters)
    states = []

    with capture_logs() as lines:
        for _ in range(6):
            states.append(registry.get_sample_value("identity_policy_breaker_state"))
            with pytest.raises(Unavailable) as refusal, breaker.call():
                raise Unavailable()

    assert states == [State.CLOSED] * 5 + [State.OPEN]
    assert refusal.value.detail == "The policy engine is not available."
    assert [(line["event"], line["state"]) for line in lines] == [("policy_engine_circuit", "open")]


def registry_of(app: Flask) -> Registry:
    with app.app_context():
        found = services().metrics
    found.__class__ = Registry
    return found  # type: ignore[return-value]


def test_the_service_counts_its_checks_whatever_the_engine(app: Flask, acme: Tenant, variant: Variant) -> None:
    with FakeGuardian(denies) as engine:
        for each in (variant(), variant(GUARDIAN_SERVICE_URL=engine.url)):
            ApiClient(each, acme.admin.token).get("/customers")
            ApiClient(each, acme.user().token).get("/customers")

            counted = registry_of(each)
            is_remote = counted.count("granted") == 0
            assert (counted.count("granted"), counted.count("denied")) == ((0, 2) if is_remote else (1, 1))
            assert counted.timed() == 2


def test_remembered_grants_are_counted_apart(acme: Tenant, variant: Variant) -> None:
    app = variant(GUARDIAN_DECISION_TTL_SECONDS="60")

    for _ in range(3):
        ApiClient(app, acme.admin.token).get("/customers")

    counted = registry_of(app)
    found = [counted.get_sample_value("identity_policy_cache_total", {"result": each}) for each in ("hit", "miss")]
    assert found == [2, 1]
    assert counted.count("granted") == 1


def test_two_applications_of_one_process_count_apart(acme: Tenant, variant: Variant) -> None:
    one, other = variant(), variant()

    ApiClient(one, acme.admin.token).get("/customers")

    assert [registry_of(each).count("granted") for each in (one, other)] == [1, 0]


def test_no_endpoint_shows_them(acme: Tenant) -> None:
    assert acme.admin.get("/metrics").status_code == 404


@flaky
def test_counting_and_the_breaker_cost_microseconds(registry: Registry) -> None:
    counters = PolicyCounters(registry)
    watched = MeteredEngine(GrantAll(), counters, policy_breaker(counters))

    plain, full = (min(_seconds_of(each) for _ in range(5)) for each in (GrantAll(), watched))

    assert full - plain < 20e-6  # 5 µs on an idle machine


def _seconds_of(engine: GrantAll | MeteredEngine, times: int = 2000) -> float:
    started = time.perf_counter()
    for _ in range(times):
        engine.check(QUESTION, token="", request_id="")
    return (time.perf_counter() - started) / times


def test_a_check_that_the_engine_garbled_is_counted_through_the_service(acme: Tenant, variant: Variant) -> None:
    with FakeGuardian(answers(200, b"<html>", "text/html")) as engine:
        app = variant(GUARDIAN_SERVICE_URL=engine.url)
        ApiClient(app, acme.admin.token).get("/customers")
        engine.behaviour = grants
        ApiClient(app, acme.admin.token).get("/customers")

        assert [registry_of(app).count(each) for each in ("unusable", "granted")] == [1, 1]
