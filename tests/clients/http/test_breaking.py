"""The circuit breaker around both clients, on real sockets."""

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from uuid import uuid4

import pytest
from prometheus_client import CollectorRegistry

from app.base.errors import ApiError, BadGateway, Forbidden, Unavailable
from app.clients.http.breaker import OPEN_SECONDS, Breaker, CircuitOpen
from app.clients.policy.authzen import AuthZenClient
from app.clients.policy.guardian import GuardianClient, TokenRefused
from app.clients.policy.metrics import MeteredEngine, PolicyCounters, outcome_of
from app.clients.policy.request import AccessRequest, TooManyInFlight
from app.clients.policy.transport import RemoteTransport
from tests.clients.policy.guardian.asking import AMPLE, refused_url
from tests.fakes.guardian import Behaviour, FakeGuardian, answers, closes, decides_each, denies, grants, hangs, resets
from tests.support.clock import Clock
from tests.support.marks import flaky
from tests.support.waiting import wait_for

QUESTION = AccessRequest(uuid4(), uuid4(), "customer", "UPDATE")
TOKEN = "header.payload.signature"


def _guardian(url: str, timeout: float, max_in_flight: int) -> GuardianClient:
    return GuardianClient(RemoteTransport(url, timeout, max_in_flight))


def _authzen(url: str, timeout: float, max_in_flight: int) -> AuthZenClient:
    return AuthZenClient(url, timeout, max_in_flight, roles_of=lambda _question: ["viewer"])


CLIENTS = {"guardian": _guardian, "authzen": _authzen}


@pytest.fixture(params=CLIENTS)
def protocol(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(grants) as running:
        yield running


def guarded(
    protocol: str,
    url: str,
    *,
    timeout: float = AMPLE,
    max_in_flight: int = 8,
    clock: Callable[[], float] = time.monotonic,
) -> MeteredEngine:
    counters = PolicyCounters(CollectorRegistry())
    breaker = Breaker(outcome_of, "The policy engine is not available.", counters.note_breaker, clock)
    return MeteredEngine(CLIENTS[protocol](url, timeout, max_in_flight), counters, breaker)


def check(client: MeteredEngine) -> None:
    client.check(QUESTION, token=TOKEN, request_id="request-1")


def refusal(client: MeteredEngine) -> ApiError:
    with pytest.raises(ApiError) as raised:
        check(client)
    return raised.value


FAILING: dict[str, Behaviour] = {
    "500": answers(500, {}),
    "reset": resets,
    "closed": closes,
    "hang": hangs,
    "429": answers(429, {}),
}


@flaky
@pytest.mark.parametrize("name", FAILING)
def test_after_five_failures_refusals_are_at_once_and_ask_nobody(
    engine: FakeGuardian, protocol: str, name: str
) -> None:
    engine.behaviour = FAILING[name]
    client = guarded(protocol, engine.url, timeout=0.3 if name == "hang" else AMPLE, clock=Clock())
    for _ in range(5):
        assert not isinstance(refusal(client), CircuitOpen)
    wait_for(lambda: sum(seen.method == "POST" for seen in engine.seen) == 5)
    asked = len(engine.seen)

    started = time.perf_counter()
    errors = [refusal(client) for _ in range(100)]
    taken = (time.perf_counter() - started) / 100

    assert {(type(each), each.status) for each in errors} == {(CircuitOpen, 503)}
    assert all(1 <= int(each.headers["Retry-After"]) <= 5 for each in errors)
    assert len(engine.seen) == asked
    assert taken < 0.005


def test_a_refused_connection_opens_it_too(protocol: str) -> None:
    client = guarded(protocol, refused_url())
    for _ in range(5):
        refusal(client)

    assert isinstance(refusal(client), CircuitOpen)


def test_an_engine_that_came_back_is_noticed_after_the_pause(engine: FakeGuardian, protocol: str) -> None:
    clock = Clock()
    client = guarded(protocol, engine.url, clock=clock)
    engine.behaviour = resets
    for _ in range(5):
        refusal(client)
    engine.behaviour = grants if protocol == "guardian" else decides_each(lambda _asked: True)
    assert isinstance(refusal(client), CircuitOpen)

    clock.advance(OPEN_SECONDS)

    check(client)
    check(client)


def test_denials_leave_it_closed(engine: FakeGuardian, protocol: str) -> None:
    engine.behaviour = denies if protocol == "guardian" else decides_each(lambda _asked: False)
    client = guarded(protocol, engine.url)

    assert {type(refusal(client)) for _ in range(12)} == {Forbidden}


def test_one_caller_whose_token_guardian_refuses_does_not_take_it_away_from_everybody(engine: FakeGuardian) -> None:
    engine.behaviour = answers(401, {"message": "Token expired."})
    client = guarded("guardian", engine.url)

    assert {type(refusal(client)) for _ in range(12)} == {TokenRefused}


@pytest.mark.parametrize("status", [401, 403])
def test_an_authzen_engine_that_refuses_us_opens_it(engine: FakeGuardian, status: int) -> None:
    engine.behaviour = answers(status, {"decision": True})
    client = guarded("authzen", engine.url)
    for _ in range(5):
        assert type(refusal(client)) is BadGateway

    assert isinstance(refusal(client), CircuitOpen)


def test_calls_that_found_no_place_leave_it_closed(engine: FakeGuardian) -> None:
    engine.behaviour = hangs
    client = guarded("guardian", engine.url, max_in_flight=1)

    with ThreadPoolExecutor(1) as threads:
        hanging = threads.submit(refusal, client)
        wait_for(lambda: len(engine.seen) == 1)
        refused = [refusal(client) for _ in range(20)]
        engine.hang_up()

    assert type(hanging.result()) is Unavailable
    assert {type(each) for each in refused} == {TooManyInFlight}
    engine.behaviour = grants
    check(client)
