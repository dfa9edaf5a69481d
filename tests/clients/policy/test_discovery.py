"""Where the AuthZEN client asks: by the engine's own document where that is to be believed, else by default."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from app.base.errors import GatewayTimeout
from app.clients.policy import discovery
from tests.clients.policy.test_authzen import (
    AMPLE,
    LISTED,
    QUESTION,
    SLACK,
    TIMEOUT,
    check,
    client_of,
    engine,
    posted,
    refusal,
)
from tests.fakes.authzen import PERMITS, SINGLE, serving
from tests.fakes.guardian import Behaviour, FakeGuardian, answer, answers, decides_each, dribbles, hangs
from tests.support.marks import flaky
from tests.support.rows import by_row

__all__ = ["engine"]


def document_of(engine: FakeGuardian, **changed: Any) -> Behaviour:
    stated = {
        "policy_decision_point": engine.url,
        "access_evaluation_endpoint": f"{engine.url}/elsewhere/one",
        "access_evaluations_endpoint": f"{engine.url}/elsewhere/many",
    }
    return answers(200, stated | changed)


def test_the_endpoints_of_the_document_are_used_and_it_is_read_once(engine: FakeGuardian) -> None:
    engine.behaviour = serving(decides_each(lambda _asked: True), document_of(engine))
    client = client_of(engine.url)

    check(client)
    check(client, QUESTION, LISTED)

    paths = ["/.well-known/authzen-configuration", "/elsewhere/one", "/elsewhere/many"]
    assert [each.path for each in engine.seen] == paths


def test_the_name_of_the_document_stands_before_the_path_of_the_engine(engine: FakeGuardian) -> None:
    url = f"{engine.url}/tenant1"
    engine.behaviour = serving(PERMITS, document_of(engine, policy_decision_point=url))

    check(client_of(url))

    assert [each.path for each in engine.seen] == ["/.well-known/authzen-configuration/tenant1", "/elsewhere/one"]


def test_without_a_document_the_default_paths_stand_below_the_path_of_the_engine(engine: FakeGuardian) -> None:
    check(client_of(f"{engine.url}/tenant1/"))

    assert posted(engine)[0].path == "/tenant1/access/v1/evaluation"


DOCUMENTS: dict[str, Callable[[FakeGuardian], Behaviour]] = {
    "about_another_engine": lambda engine: document_of(engine, policy_decision_point="https://pdp.example"),
    "about_another_path": lambda engine: document_of(engine, policy_decision_point=f"{engine.url}/x"),
    "about_none": lambda engine: document_of(engine, policy_decision_point=None),
    "endpoint_on_another_host": lambda engine: document_of(
        engine, access_evaluation_endpoint="http://127.0.0.1:1/access/v1/evaluation"
    ),
    "endpoint_by_tls": lambda engine: document_of(
        engine, access_evaluation_endpoint=engine.url.replace("http:", "https:") + SINGLE
    ),
    "endpoint_with_a_query": lambda engine: document_of(
        engine, access_evaluation_endpoint=f"{engine.url}/x?decision=true"
    ),
    "endpoint_with_a_space": lambda engine: document_of(engine, access_evaluation_endpoint=f"{engine.url}/x y"),
    "endpoint_with_a_line": lambda engine: document_of(
        engine, access_evaluation_endpoint=f"{engine.url}/x\x0b\r\nX-A: 1"
    ),
    "endpoint_without_path": lambda engine: document_of(engine, access_evaluation_endpoint=engine.url),
    "endpoint_relative": lambda engine: document_of(engine, access_evaluation_endpoint="/x"),
    "endpoint_missing": lambda engine: document_of(engine, access_evaluation_endpoint=None),
    "endpoint_a_number": lambda engine: document_of(engine, access_evaluation_endpoint=7),
    "html": lambda _engine: answers(200, b"<html>", "text/html"),
    "array": lambda _engine: answers(200, []),
    "redirect": lambda engine: answers(302, {}, headers=[f"Location: {engine.url}/x"]),
    "too_long": lambda engine: document_of(engine, more="x" * 70_000),
    "201": lambda engine: answers(201, {"policy_decision_point": engine.url}),
}


@by_row("name", DOCUMENTS)
def test_a_document_that_is_not_wholly_about_this_engine_changes_nothing(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = serving(PERMITS, DOCUMENTS[name](engine))
    engine.seen.clear()
    client = client_of(engine.url)

    check(client)
    check(client)

    assert [(each.method, each.path) for each in engine.seen[1:]] == [("POST", SINGLE)] * 2


def test_an_engine_whose_document_names_no_batches_is_asked_one_by_one(engine: FakeGuardian) -> None:
    engine.behaviour = serving(PERMITS, document_of(engine, access_evaluations_endpoint=None))

    check(client_of(engine.url), QUESTION, LISTED)

    assert [each.path for each in posted(engine)] == ["/elsewhere/one"] * 2


@pytest.mark.parametrize(
    ("document", "timeout"),
    [(hangs, 4.0), (answers(500, {}), AMPLE), (answers(429, {}), AMPLE)],
    ids=["hang", "500", "429"],
)
def test_an_engine_that_does_not_answer_about_itself_is_asked_again_later(
    engine: FakeGuardian, document: Behaviour, timeout: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A document that hangs takes half of it, and leaves the other to the question.
    engine.behaviour = serving(PERMITS, document)
    client = client_of(engine.url, timeout=timeout)
    check(client)
    check(client)
    monkeypatch.setattr(discovery, "RETRY_SECONDS", 0.0)
    client._discovery._due = 0.0

    engine.behaviour = serving(PERMITS, document_of(engine))
    check(client)

    assert [each.path for each in posted(engine)] == [SINGLE, SINGLE, "/elsewhere/one"]


@flaky
@pytest.mark.parametrize("document", [hangs, dribbles(answer(200, {}), 0.05)], ids=["hang", "dribble"])
def test_the_timeout_is_a_total_with_the_document_in_it(engine: FakeGuardian, document: Behaviour) -> None:
    engine.behaviour = serving(hangs, document)
    started = time.monotonic()

    error = refusal(client_of(engine.url, timeout=TIMEOUT))

    assert isinstance(error, GatewayTimeout)
    assert TIMEOUT <= time.monotonic() - started < TIMEOUT + SLACK
