"""Whatever the engine does, through the whole service: no request is executed without a strict grant."""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from flask import Flask

from tests.clients.policy.guardian.asking import refused_url
from tests.fakes.authzen import serving, spelled
from tests.fakes.guardian import (
    GRANT,
    Behaviour,
    Exchange,
    FakeGuardian,
    answer,
    answers,
    decides_each,
    dribbles,
    grants,
    hangs,
    resets,
    sends,
)
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, flaky, one_database
from tests.support.variants import Variant

# What an engine answers, and what becomes of it, is decided before the database is asked.
pytestmark = one_database

GRANTED = b'{"access_granted": true'
TEN_MEGABYTES = GRANTED + b', "x": "' + b"x" * 10_000_000 + b'"}'
CODES = {403: "ACCESS_DENIED", 502: "BAD_GATEWAY", 503: "UNAVAILABLE", 504: "GATEWAY_TIMEOUT"}


def told(text: bytes, status: int = 200) -> Behaviour:
    return answers(status, text)


def redirects(exchange: Exchange) -> bool:
    """To a path of the engine that would grant, were it followed."""
    if exchange.seen.path.endswith("/granting"):
        return grants(exchange)
    return answers(302, {"access_granted": True}, headers=["Location: /granting"])(exchange)


# Each mode with what it becomes in the Guardian protocol and in AuthZEN.
MODES: dict[str, tuple[Behaviour, int, int]] = {
    "deny_200": (told(b'{"access_granted": false}'), 403, 403),
    "deny_403": (told(b'{"access_granted": false}', 403), 403, 502),
    "deny_404": (told(b'{"access_granted": false}', 404), 403, 502),
    "string_false": (told(b'{"access_granted": "false"}'), 502, 502),
    "string_true": (told(b'{"access_granted": "true"}'), 502, 502),
    "one": (told(b'{"access_granted": 1}'), 502, 502),
    "null": (told(b'{"access_granted": null}'), 502, 502),
    "missing_key": (told(b'{"reason": "ok"}'), 502, 502),
    "duplicate_keys": (told(b'{"access_granted": false, "access_granted": true}'), 502, 502),
    "nan": (told(GRANTED + b', "x": NaN}'), 502, 502),
    "invalid_utf8": (told(GRANTED + b', "x": "\xff"}'), 502, 502),
    "gzip_bomb": (answers(200, gzip.compress(TEN_MEGABYTES), headers=["Content-Encoding: gzip"]), 502, 502),
    "10_mb": (told(TEN_MEGABYTES), 502, 502),
    "201": (told(GRANTED + b"}", 201), 502, 502),
    "204": (sends(b"HTTP/1.1 204 No Content\r\n\r\n"), 502, 502),
    "302_to_a_grant": (redirects, 502, 502),
    "400_with_a_grant": (told(GRANTED + b"}", 400), 403, 502),
    "401": (told(GRANTED + b"}", 401), 502, 502),
    "500": (told(GRANTED + b"}", 500), 502, 502),
    "html": (answers(200, b"<html>access_granted: true</html>", "text/html"), 502, 502),
    "429": (told(GRANTED + b"}", 429), 503, 503),
    "reset": (resets, 503, 503),
    "hang": (hangs, 504, 504),
    "one_byte_per_500_ms": (dribbles(GRANT, 0.5), 504, 504),
    "one_byte_per_500_ms_of_the_body": (dribbles(GRANT, 0.5, at_once=len(GRANT) - 4), 504, 504),
}


@dataclass
class Trial:
    """A service, the same one with a short deadline, and their engine, which does as told."""

    app: Flask
    impatient: Flask
    engine: FakeGuardian
    is_authzen: bool

    def puts(self, behaviour: Behaviour) -> None:
        self.engine.behaviour = serving(spelled(behaviour)) if self.is_authzen else behaviour
        self.engine.seen.clear()

    def grants(self) -> None:
        self.engine.behaviour = decides_each(lambda _asked: True) if self.is_authzen else grants

    def asked(self) -> int:
        return sum(seen.method == "POST" for seen in self.engine.seen)


@pytest.fixture(params=["guardian", "authzen"])
def trial(request: pytest.FixtureRequest, variant: Variant) -> Iterator[Trial]:
    with FakeGuardian(answers(404, {})) as engine:
        settings = {"GUARDIAN_SERVICE_URL": engine.url, "GUARDIAN_PROTOCOL": request.param}
        patient, impatient = (variant(GUARDIAN_SERVICE_TIMEOUT=seconds, **settings) for seconds in ("30", "1"))
        yield Trial(patient, impatient, engine, request.param == "authzen")


@flaky
def test_no_mode_of_the_engine_lets_a_request_through_and_each_is_told_as_the_contract_says(
    trial: Trial, acme: Tenant
) -> None:
    wrong: dict[str, Any] = {}

    for name, (behaviour, guardian, authzen) in MODES.items():
        expected = authzen if trial.is_authzen else guardian
        speaker = ApiClient(trial.impatient if expected == 504 else trial.app, acme.admin.token)
        trial.puts(behaviour)
        found = _error(speaker.post("/customers", {"name": name}))
        if (*found, trial.asked()) != (expected, CODES[expected], 1):
            wrong[name] = (*found, trial.asked())
        trial.grants()
        if speaker.get("/customers").status_code != 200:
            wrong[f"after {name}"] = "not recovered"

    assert wrong == {}
    assert acme.admin.get("/customers").get_json()["data"] == []


def _error(answer: Any) -> tuple[int, str | None]:
    return answer.status_code, answer.get_json().get("error_code")


@pytest.mark.parametrize("protocol", ["guardian", "authzen"])
def test_an_engine_that_nobody_listens_at_is_503(variant: Variant, acme: Tenant, protocol: str) -> None:
    away = variant(GUARDIAN_PROTOCOL=protocol, GUARDIAN_SERVICE_URL=refused_url())

    answer = ApiClient(away, acme.admin.token).post("/customers", {"name": "Wile"})

    assert _error(answer) == (503, "UNAVAILABLE")
    assert acme.admin.get("/customers").get_json()["data"] == []


def test_after_five_failures_the_service_refuses_at_once_and_says_when_to_come_back(trial: Trial, acme: Tenant) -> None:
    speaker = ApiClient(trial.app, acme.admin.token)
    trial.puts(told(b"{}", 500))
    assert [speaker.get("/customers").status_code for _ in range(5)] == [502] * 5

    answer = speaker.get("/customers")

    assert _error(answer) == (503, "UNAVAILABLE")
    assert 1 <= int(answer.headers["Retry-After"]) <= 5
    assert trial.asked() == 5
    assert speaker.get("/users/me").status_code == 200


@both_databases
def test_what_is_done_before_the_answer_is_not_begun(trial: Trial, acme: Tenant, statements: Any) -> None:
    trial.puts(told(b"{}", 500))

    with statements() as sent:
        ApiClient(trial.app, acme.admin.token).delete(f"/users/{acme.admin.user_id}")

    assert sent == []


def test_the_request_id_reaches_the_engine(trial: Trial, acme: Tenant) -> None:
    trial.grants()

    ApiClient(trial.app, acme.admin.token).get("/customers", headers={"X-Request-ID": "abc-123"})

    assert trial.engine.seen[-1].headers["x-request-id"] == "abc-123"


def test_the_item_of_the_path_is_told_to_an_authzen_engine(trial: Trial, acme: Tenant) -> None:
    if not trial.is_authzen:
        pytest.skip("The Guardian protocol has no items.")
    trial.grants()
    speaker, me = ApiClient(trial.app, acme.admin.token), acme.admin.user_id

    for path in (f"/users/{me}", f"/users/{me.upper()}", "/users", "/users/x", f"/positions/{me}/users"):
        speaker.get(path)

    told_ids = [seen.asked["resource"]["id"] for seen in trial.engine.seen if seen.method == "POST"]
    assert told_ids == [me, me, "*", "*", "*"]


def test_a_health_look_does_not_pass_for_a_grant(trial: Trial, acme: Tenant) -> None:
    trial.puts(answers(200, answer(200, {})))

    assert ApiClient(trial.app, acme.admin.token).get("/customers").status_code == 502
