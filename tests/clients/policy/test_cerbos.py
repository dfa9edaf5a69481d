"""The AuthZEN client against the real Cerbos, with the policies that the catalogue is written as."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast
from uuid import UUID

import orjson
import pytest
from click.testing import Result
from flask import Flask
from uuid_utils.compat import uuid7

from app import create_app
from app.base.errors import BadGateway, Forbidden
from app.clients.policy.authzen import AuthZenClient
from app.clients.policy.parsing import parse_object
from app.clients.policy.request import AccessRequest
from app.clients.policy.transport import RemoteTransport
from app.core.services import services
from app.core.web.routing import Route
from tests.fakes.cerbos import ROOT, Cerbos, binary
from tests.support.clients import ApiClient, Tenant
from tests.support.databases import settings_for
from tests.support.declared import routes_of
from tests.support.marks import one_database
from tests.support.roles import give, role_with
from tests.support.variants import Variant

# What an engine answers, and what becomes of it, is decided before the database is asked.
pytestmark = one_database

POLICIES = ROOT / "scripts" / "cerbos" / "policies"
CERTIFICATION = ROOT / "scripts" / "cerbos" / "certification"


@pytest.fixture(scope="module")
def program() -> Path:
    return binary()


@pytest.fixture(scope="module")
def cerbos(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cerbos]:
    folder = tmp_path_factory.mktemp("cerbos")
    written = _catalogue("--format", "cerbos", "--output", str(folder / "policies"))
    assert written.exit_code == 0, written.output
    with Cerbos(program, folder / "policies", folder / "log") as running:
        yield running


def _catalogue(*arguments: str) -> Result:
    app = create_app(settings_for("sqlite:///nothing.db"))
    return app.test_cli_runner().invoke(args=["guardian", "catalogue", *arguments])


@pytest.fixture
def theirs(variant: Variant, cerbos: Cerbos) -> Flask:
    """The service on the test's database, with Cerbos deciding."""
    return variant(GUARDIAN_PROTOCOL="authzen", GUARDIAN_SERVICE_URL=cerbos.url)


@pytest.fixture
def people(acme: Tenant, globex: Tenant) -> dict[str, ApiClient]:
    roles = ("manager", "viewer", "customer", None)
    return {"platform": acme.admin, "administrator": globex.admin} | {str(role): globex.user(role) for role in roles}


def test_the_policies_in_the_repository_are_what_the_catalogue_is_written_as(tmp_path: Path) -> None:
    command = ("--format", "cerbos", "--output")
    _catalogue(*command, str(tmp_path))

    assert _texts(POLICIES) == _texts(tmp_path), (
        f"run: flask guardian catalogue {' '.join(command)} scripts/cerbos/policies, and delete what is left over"
    )


def _texts(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in folder.iterdir()}


def test_cerbos_decides_each_permission_as_the_embedded_engine_does(
    app: Flask, theirs: Flask, people: dict[str, ApiClient]
) -> None:
    with app.app_context():
        catalogue = sorted({(each.service, each.resource_name, each.operation) for each in services().catalogue})

    ours = {name: _granted(app, person, catalogue, name == "platform") for name, person in people.items()}

    assert {name: _granted(theirs, each, catalogue, name == "platform") for name, each in people.items()} == ours
    assert ours["platform"] == set(catalogue)
    with app.app_context():
        beyond = {(each.service, each.resource_name, each.operation) for each in services().catalogue if each.platform}
    assert ours["administrator"] == set(catalogue) - beyond
    assert set() < ours["viewer"] < ours["manager"] < ours["administrator"]
    own = {("identity", "customer_profile", operation) for operation in ("CREATE", "READ", "UPDATE", "DELETE")}
    assert ours["customer"] == own
    assert ours["None"] == set()


def _granted(
    app: Flask, person: ApiClient, catalogue: list[tuple[str, str, str]], is_platform: bool
) -> set[tuple[str, str, str]]:
    with app.app_context():
        return {each for each in catalogue if _is_granted(person, *each, is_platform)}


def _is_granted(person: ApiClient, service: str, resource_name: str, operation: str, is_platform: bool) -> bool:
    question = AccessRequest(
        UUID(person.user_id),
        UUID(person.company_id),
        resource_name,
        operation,
        service=service,
        resource_id=str(uuid7()),
        is_platform=is_platform,
    )
    try:
        services().engine.check(question, token=person.token or "", request_id="request-1")
    except Forbidden:
        return False
    return True


def test_the_service_answers_every_route_as_with_the_embedded_engine(
    app: Flask, theirs: Flask, people: dict[str, ApiClient]
) -> None:
    routes = [route for route in routes_of(theirs) if route.permission is not None]
    asked = {(route.permission.service, route.permission.resource_name, route.permission.operation) for route in routes}
    different = []

    for route in routes:
        for name, person in people.items():
            ours, other = _answer(app, person, route), _answer(theirs, person, route)
            if ours != other:
                different.append(f"{name}: {route.method} {route.path}: {ours}, with Cerbos {other}")

    assert different == []
    with app.app_context():
        beyond = {(each.service, each.resource_name, each.operation) for each in services().catalogue} - asked
    # The settings within /config; somebody else's note, within the endpoint that removes one's own; somebody else's
    # account, within those that change users.
    assert beyond == {
        ("identity", "config", "READ"),
        ("identity", "customer_note", "DELETE"),
        ("identity", "user_account", "UPDATE"),
    }


def _answer(app: Flask, person: ApiClient, route: Route) -> tuple[int, str | None]:
    """To a request that changes nothing: its ids are nobody's, its body is not valid."""
    path = route.path
    while "<" in path:
        path = f"{path[: path.index('<')]}{UUID(int=1)}{path[path.index('>') + 1 :]}"
    speaker = ApiClient(app, person.token)
    body = {"unknown": 1} if route.method in ("POST", "PUT", "PATCH") else None
    answer = speaker.request(route.method, path, body)
    return answer.status_code, (answer.get_json(silent=True) or {}).get(
        "error_code"
    ) if answer.status_code >= 400 else None


def test_the_settings_are_shown_to_the_platforms_administrator_only(
    theirs: Flask, people: dict[str, ApiClient]
) -> None:
    shown = {name: len(ApiClient(theirs, each.token).get("/config").get_json()) for name, each in people.items()}

    assert shown.pop("platform") > max(shown.values())
    assert len(set(shown.values())) == 1


def test_several_expansions_are_granted_and_denied_in_one_batch(theirs: Flask, globex: Tenant) -> None:
    path = "/users?expand=position,company"

    assert ApiClient(theirs, globex.user("viewer").token).get(path).status_code == 200
    assert ApiClient(theirs, globex.user("customer").token).get(path).status_code == 403


def test_a_role_given_or_taken_counts_at_once(theirs: Flask, acme: Tenant) -> None:
    user = acme.user()
    speaker = ApiClient(theirs, user.token)
    before = speaker.get("/customers").status_code
    admin = ApiClient(theirs, acme.admin.token)
    roles = {each["code"]: each["id"] for each in admin.get("/guardian/roles").get_json()}

    given = admin.create("/guardian/user-roles", {"user_id": user.user_id, "role_id": roles["viewer"]})
    between = speaker.get("/customers").status_code
    admin.delete(f"/guardian/user-roles/{given['id']}")

    assert (before, between, speaker.get("/customers").status_code) == (403, 200, 403)


def test_a_role_of_the_company_is_never_taken_for_one_of_that_name(theirs: Flask, acme: Tenant) -> None:
    with theirs.app_context():
        give(acme, user := acme.user(), role_with(acme, "identity:customer:LIST"))

    assert ApiClient(theirs, user.token).get("/customers").status_code == 403


def test_the_engine_of_the_roles_does_not_answer_as_if_it_decided(theirs: Flask, acme: Tenant) -> None:
    asked = {"user_id": acme.admin.user_id, "company_id": acme.admin.company_id, "service": "identity"}

    answer = ApiClient(theirs, acme.admin.token).post(
        "/guardian/check-access", asked | {"resource_name": "customer", "operation": "READ"}
    )

    assert answer.status_code == 404


@pytest.mark.usefixtures("patient_health")
def test_health_looks_at_cerbos(theirs: Flask) -> None:
    assert ApiClient(theirs).get("/health").get_json()["checks"]["guardian"]["healthy"] is True


# The OpenID certification scenario of AuthZEN 1.0. Its properties of an action are not Cerbos's to judge.


@pytest.fixture(scope="module")
def certified(program: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cerbos]:
    with Cerbos(program, CERTIFICATION, tmp_path_factory.mktemp("certified") / "log") as running:
        yield running


SCENARIO = [
    ("alice", (), "READ", "record-1", True),
    ("alice", (), "WRITE", "record-1", True),
    ("bob", (), "READ", "record-1", True),
    ("bob", (), "WRITE", "record-1", False),
    ("alice", (), "WRITE", "record-2", False),
    ("bob", (), "WRITE", "record-2", False),
    ("bob", ("admin",), "WRITE", "record-2", True),
    ("bob", ("admin",), "WRITE", "record-1", False),
]


def asked(subject: str, roles: tuple[str, ...], operation: str, record: str) -> AccessRequest:
    user, company = cast(UUID, subject), UUID(int=0)
    return AccessRequest(user, company, "record", operation, resource_id=record, roles=roles)


def client_of(cerbos: Cerbos) -> AuthZenClient:
    return AuthZenClient(cerbos.url, 30.0, 1, roles_of=lambda _question: [])


@pytest.mark.parametrize(("subject", "roles", "operation", "record", "granted"), SCENARIO)
def test_the_certification_scenario_through_the_client(
    certified: Cerbos, subject: str, roles: tuple[str, ...], operation: str, record: str, granted: bool
) -> None:
    question, client = asked(subject, roles, operation, record), client_of(certified)

    if granted:
        client.check(question, token="", request_id="request-1")
        return
    with pytest.raises(Forbidden):
        client.check(question, token="", request_id="request-1")


@pytest.mark.parametrize("subject", ["alice", "bob"])
@pytest.mark.parametrize("operations", [("READ", "WRITE"), ("READ", "READ"), ("WRITE", "READ")])
def test_a_batch_of_the_scenario_is_granted_when_each_of_it_is(
    certified: Cerbos, subject: str, operations: tuple[str, ...]
) -> None:
    questions = [asked(subject, (), each, "record-1") for each in operations]
    client = client_of(certified)

    if subject == "alice" or "WRITE" not in operations:
        client.check(*questions, token="", request_id="request-1")
        return
    with pytest.raises(Forbidden):
        client.check(*questions, token="", request_id="request-1")


@pytest.mark.parametrize("count", [49, 50, 51, 101])
def test_more_questions_than_cerbos_takes_at_once_are_asked_in_several_batches(certified: Cerbos, count: int) -> None:
    questions = [asked("alice", (), "READ", f"record-{each}") for each in range(count)]
    client = client_of(certified)

    client.check(*questions, token="", request_id="request-1")
    with pytest.raises(Forbidden):
        client.check(*questions, asked("alice", (), "WRITE", "record-2"), token="", request_id="request-1")


def user(name: str, **properties: str) -> dict[str, Any]:
    return {"type": "user", "id": name} | ({"properties": properties} if properties else {})


def record(name: str, **properties: str) -> dict[str, Any]:
    return {"type": "record", "id": name} | ({"properties": properties} if properties else {})


BASIC = [
    (user("alice"), "read", record("record-1"), True),
    (user("alice"), "write", record("record-1"), True),
    (user("bob"), "read", record("record-1"), True),
    (user("bob"), "write", record("record-1"), False),
    (user("alice"), "write", record("record-2", status="archived"), False),
    (user("bob", role="admin"), "write", record("record-2", status="archived"), True),
]


@pytest.mark.parametrize(("subject", "action", "resource", "decision"), BASIC)
def test_the_fixture_meets_the_scenarios_own_requests(
    certified: Cerbos, subject: dict[str, Any], action: str, resource: dict[str, Any], decision: bool
) -> None:
    body = orjson.dumps({"subject": subject, "action": {"name": action}, "resource": resource})

    reply = RemoteTransport(certified.url, 5.0, 1).send(
        "POST", "/access/v1/evaluation", body, {"Content-Type": "application/json"}
    )

    assert (reply.status, parse_object(reply)["decision"]) == (200, decision)


def test_a_request_that_cerbos_finds_wrong_is_502_and_no_decision(certified: Cerbos) -> None:
    with pytest.raises(BadGateway):
        client_of(certified).check(asked("", (), "READ", "record-1"), token="", request_id="request-1")
