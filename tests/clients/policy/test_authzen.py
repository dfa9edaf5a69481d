"""The AuthZEN client against a real socket: what goes out, what is believed, and where it is sent."""

import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any
from uuid import uuid4

import pytest

from app.base.errors import ApiError, BadGateway, Forbidden, Unavailable
from app.clients.policy.authzen import AuthZenClient
from app.clients.policy.request import AccessRequest
from tests.clients.policy.guardian.asking import UNREACHABLE, UNUSABLE, refused_url
from tests.fakes.authzen import BATCH, NOT_FOUND, PERMITS, SINGLE, serving, spelled
from tests.fakes.guardian import Behaviour, Exchange, FakeGuardian, answer, answers, decides_each, hangs, sends
from tests.support.rows import by_row

AMPLE, TIMEOUT, SLACK = 10.0, 0.4, 0.6
QUESTION = AccessRequest(uuid4(), uuid4(), "customer", "UPDATE", resource_id=str(uuid4()))
LISTED = replace(QUESTION, resource_name="position", operation="LIST", resource_id="*")
TOKEN = "header.payload.signature"
ROLES = ["viewer", "0192f0c1-7e1a-7000-8000-000000000001"]


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian(serving(PERMITS)) as running:
        yield running


def client_of(url: str, *, secret: str = "", timeout: float = AMPLE, max_in_flight: int = 8) -> AuthZenClient:
    return AuthZenClient(url, timeout, max_in_flight, roles_of=lambda _question: ROLES, secret=secret)


def check(client: AuthZenClient, *questions: AccessRequest) -> None:
    client.check(*(questions or (QUESTION,)), token=TOKEN, request_id="request-1")


def refusal(client: AuthZenClient, *questions: AccessRequest) -> ApiError:
    with pytest.raises(ApiError) as raised:
        check(client, *questions)
    return raised.value


def posted(engine: FakeGuardian) -> list[Any]:
    return [seen for seen in engine.seen if seen.method == "POST"]


# Refusals. The modes are those of the Guardian protocol with the name of the decision changed.


SPELLED_OTHERWISE = ("true_beside_a_string", "nested", "duplicate_key_escaped")
FAILING: dict[str, Behaviour] = {
    **{name: spelled(each) for name, each in UNUSABLE.items() if name not in SPELLED_OTHERWISE},
    "duplicate_key_escaped": answers(200, b'{"decision": false, "decisio\\u006e": true}'),
    "400": answers(400, {"decision": True}),
    "403": answers(403, {"decision": True}),
    "404": answers(404, {"decision": True}),
    "granted_in_guardians_spelling": answers(200, {"access_granted": True, "allowed": True}),
    "nested": answers(200, {"context": {"decision": True}}),
    "batch_for_a_single_question": answers(200, {"evaluations": [{"decision": True}]}),
}


@by_row("name", FAILING)
def test_an_answer_that_is_no_decision_is_502(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = serving(FAILING[name])
    engine.seen.clear()

    assert isinstance(refusal(client_of(engine.url)), BadGateway)
    assert len(posted(engine)) == 1


@pytest.mark.parametrize("name", UNREACHABLE)
def test_an_engine_that_takes_no_question_is_503(engine: FakeGuardian, name: str) -> None:
    engine.behaviour = serving(UNREACHABLE[name])

    assert isinstance(refusal(client_of(engine.url)), Unavailable)
    assert len(posted(engine)) == 1


def test_a_refused_connection_is_503() -> None:
    assert isinstance(refusal(client_of(refused_url())), Unavailable)


@pytest.mark.parametrize("decision", [{"decision": False}, {"decision": False, "context": {"reason_user": 7}}])
def test_a_denial_is_403(engine: FakeGuardian, decision: object) -> None:
    engine.behaviour = serving(answers(200, decision))

    assert isinstance(refusal(client_of(engine.url)), Forbidden)


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_to_a_grant_is_502_and_not_followed(engine: FakeGuardian, status: int) -> None:
    with FakeGuardian(PERMITS) as granting:
        engine.behaviour = serving(answers(status, {"decision": True}, headers=[f"Location: {granting.url}"]))

        assert isinstance(refusal(client_of(engine.url)), BadGateway)
        assert granting.connections == 0


@pytest.mark.parametrize(
    ("context", "reason"),
    [
        ({"reason": "No role."}, "No role."),
        ({"reason_user": "No role."}, "No role."),
        ({"reason_user": {"en": "No role.\r\n"}, "reason_admin": {"en": "Rule 7."}}, "No role."),
        ({"reason_admin": {"en": "Rule 7."}}, Forbidden.message),
        ("No role.", Forbidden.message),
    ],
)
def test_the_reason_meant_for_users_is_passed_on(engine: FakeGuardian, context: object, reason: str) -> None:
    engine.behaviour = serving(answers(200, {"decision": False, "context": context}))

    assert refusal(client_of(engine.url)).detail == reason


# The question.


def test_the_question_goes_out_as_the_contract_writes_it(engine: FakeGuardian) -> None:
    check(client_of(engine.url + "/"))

    seen = posted(engine)[0]
    assert seen.path == SINGLE
    assert seen.headers["x-request-id"] == "request-1"
    assert "cookie" not in seen.headers
    assert "authorization" not in seen.headers
    company = str(QUESTION.company_id)
    assert seen.asked == {
        "subject": {
            "type": "user",
            "id": str(QUESTION.user_id),
            "properties": {"company_id": company, "is_platform": False, "roles": ROLES, "cerbos.roles": ROLES},
        },
        "action": {"name": "update"},
        "resource": {
            "type": "customer",
            "id": QUESTION.resource_id,
            "properties": {"company_id": company, "service": "identity"},
        },
        "context": {"request_id": "request-1"},
    }


def test_a_nested_list_names_the_kind_of_its_parent_and_no_item(engine: FakeGuardian) -> None:
    check(client_of(engine.url), replace(LISTED, parent_kind="organization_unit"))

    resource = posted(engine)[0].asked["resource"]
    assert (resource["id"], resource["properties"]["within"]) == ("*", "organization_unit")


@pytest.mark.parametrize("roles", [(), ("auditor",)])
def test_roles_of_the_token_take_the_place_of_those_of_the_tables(engine: FakeGuardian, roles: tuple[str, ...]) -> None:
    check(client_of(engine.url), replace(QUESTION, roles=roles))

    properties = posted(engine)[0].asked["subject"]["properties"]
    assert (properties["roles"], properties["cerbos.roles"]) == (list(roles), list(roles))


def test_our_token_goes_as_bearer_in_single_and_batch_and_not_to_the_document(engine: FakeGuardian) -> None:
    engine.behaviour = serving(decides_each(lambda _asked: True))
    client = client_of(engine.url, secret="secret-1")

    check(client)
    check(client, QUESTION, LISTED)

    assert [each.headers.get("authorization") for each in engine.seen] == [None, *["Bearer secret-1"] * 2]


# Batches.


def test_several_questions_are_one_request(engine: FakeGuardian) -> None:
    engine.behaviour = serving(decides_each(lambda _asked: True))

    check(client_of(engine.url), QUESTION, LISTED)

    (seen,) = posted(engine)
    assert seen.path == BATCH
    assert [each["action"]["name"] for each in seen.asked["evaluations"]] == ["update", "list"]
    assert {"subject", "context"} == set(seen.asked) - {"evaluations"}


BATCHES: dict[str, tuple[object, type[ApiError]]] = {
    "one_denied": ([{"decision": True}, {"decision": False}], Forbidden),
    "one_missing": ([{"decision": True}], Forbidden),
    "all_missing": ([], Forbidden),
    "one_too_many": ([{"decision": True}] * 3, BadGateway),
    "no_list": ({"decision": True}, BadGateway),
    "null": (None, BadGateway),
    "a_bare_true": ([True, True], BadGateway),
    "a_string": ([{"decision": True}, {"decision": "true"}], BadGateway),
    "an_empty_item": ([{"decision": True}, {}], BadGateway),
}


@by_row("name", BATCHES)
def test_a_batch_grants_only_when_each_item_does(engine: FakeGuardian, name: str) -> None:
    items, error = BATCHES[name]
    engine.behaviour = serving(answers(200, {"decision": True, "evaluations": items}))

    assert type(refusal(client_of(engine.url), QUESTION, LISTED)) is error


@by_row("first", [True, False])
def test_a_denial_in_a_batch_names_its_own_question(engine: FakeGuardian, first: bool) -> None:
    engine.behaviour = serving(answers(200, {"evaluations": [{"decision": first}, {"decision": not first}]}))

    denied = LISTED if first else QUESTION
    named = {"permission": f"{denied.resource_name}:{denied.operation}"}
    assert refusal(client_of(engine.url), QUESTION, LISTED).members == named


def test_a_batch_without_its_list_is_502(engine: FakeGuardian) -> None:
    assert isinstance(refusal(client_of(engine.url), QUESTION, LISTED), BadGateway)


@pytest.mark.parametrize(("count", "sizes"), [(50, [50]), (51, [50, 1]), (101, [50, 50, 1])])
def test_at_most_50_questions_go_in_one_request(engine: FakeGuardian, count: int, sizes: list[int]) -> None:
    engine.behaviour = serving(decides_each(lambda _asked: True))

    check(client_of(engine.url), *[replace(QUESTION, resource_id=str(uuid4())) for _ in range(count)])

    assert [len(each.asked.get("evaluations", [1])) for each in posted(engine)] == sizes


def test_a_denial_in_a_later_request_denies(engine: FakeGuardian) -> None:
    engine.behaviour = serving(decides_each(lambda asked: asked["resource"]["type"] != "position"))

    assert isinstance(refusal(client_of(engine.url), *[QUESTION] * 50, QUESTION, LISTED), Forbidden)


@pytest.mark.parametrize("status", [404, 405, 501])
def test_an_engine_without_batches_is_asked_one_by_one(engine: FakeGuardian, status: int) -> None:
    def behave(exchange: Exchange) -> bool:
        return (answers(status, {}) if exchange.seen.path == BATCH else PERMITS)(exchange)

    engine.behaviour = serving(behave)

    check(client_of(engine.url), QUESTION, LISTED)

    assert [each.path for each in posted(engine)] == [BATCH, SINGLE, SINGLE]


def test_questions_of_several_users_are_never_asked_together(engine: FakeGuardian) -> None:
    with pytest.raises(ValueError, match="several subjects"):
        check(client_of(engine.url), QUESTION, replace(LISTED, user_id=uuid4()))

    assert engine.connections == 0


# Health.


@pytest.mark.parametrize(
    ("behaviour", "is_healthy"),
    [(NOT_FOUND, True), (sends(answer(200, {})), True), (answers(500, {}), False), (hangs, False)],
    ids=["404", "200", "500", "hang"],
)
def test_an_engine_is_healthy_when_it_answers(engine: FakeGuardian, behaviour: Behaviour, is_healthy: bool) -> None:
    engine.behaviour = behaviour
    client = client_of(engine.url, timeout=AMPLE if is_healthy else TIMEOUT)

    if is_healthy:
        client.check_health()
        return
    with pytest.raises(ApiError):
        client.check_health()


@by_row("url", ["", "engine", "ftp://engine", "http://u:p@engine", "http://engine?x=1", "http://e#x"])
def test_a_url_that_is_not_an_address_is_refused_at_start(url: str) -> None:
    with pytest.raises(ValueError, match="URL"):
        client_of(url)


def test_what_is_sent_is_json_that_any_reader_takes(engine: FakeGuardian) -> None:
    check(client_of(engine.url))

    assert json.loads(posted(engine)[0].body)["subject"]["id"] == str(QUESTION.user_id)
