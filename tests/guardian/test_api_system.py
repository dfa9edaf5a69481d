"""The engine's own health, version, configuration and first administrator."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from flask import Flask
from uuid_utils.compat import uuid7

from app.accounts.onboarding.service import create_company
from app.core.services import services
from app.guardian.service import ExternalTenantRoles
from tests.support.clients import ApiClient, Tenant, sign_in
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row
from tests.support.served import Through
from tests.support.variants import Variant

pytestmark = one_database

INIT = "/guardian/init-db"
Json = dict[str, Any]


@pytest.fixture
def nobody(app: Flask, engine: Through) -> ApiClient:
    return engine(ApiClient(app))


def wish(company_id: str, user_id: str, **more: str) -> Json:
    return {"company": {"company_id": company_id}, "user": {"user_id": user_id, **more}}


def without_roles(app: Flask, name: str, *, is_platform: bool = False) -> ApiClient:
    """The founder of a company that was made by a service whose engine is remote."""
    company_id, user = uuid7(), {"email": f"founder@{name}.example"}
    with app.app_context():
        embedded, services().tenant_roles = services().tenant_roles, ExternalTenantRoles()
        try:
            founded = create_company(company_id, {"name": name, "is_platform": is_platform}, user)
        finally:
            services().tenant_roles = embedded
        user_id = founded.user.id
    return sign_in(app, company_id, user_id, user["email"])


def refusal(answer: Any) -> tuple[int, str, str]:
    body = answer.get_json()
    return answer.status_code, body["error_code"], body["detail"]


ALREADY = (403, "ALREADY_INITIALIZED", "The company is already initialized.")


def test_health_is_public_and_names_the_service(nobody: ApiClient) -> None:
    answer = nobody.get("/guardian/health")

    assert answer.status_code == 200
    found = answer.get_json()
    assert (found["status"], found["service"]) == ("healthy", "guardian_service")
    assert list(found["checks"]) == ["database"]


def test_version_needs_a_token_and_no_permission(acme: Tenant, nobody: ApiClient, engine: Through) -> None:
    assert nobody.get("/guardian/version").status_code == 401
    assert list(engine(acme.user()).get("/guardian/version").get_json()) == ["version"]


def test_configuration_is_public_and_shows_no_setting(nobody: ApiClient) -> None:
    found = nobody.get("/guardian/config").get_json()

    services = ["guardian", "identity"]
    assert found == {"env": "testing", "debug": False, "version": found["version"], "services": services}


@both_databases
@pytest.mark.usefixtures("empty")
def test_engine_is_initialized_when_the_platform_has_an_administrator(nobody: ApiClient, app: Flask) -> None:
    before = nobody.get(INIT).get_json()
    founder = without_roles(app, "acme", is_platform=True)
    between = nobody.get(INIT).get_json()
    nobody.post(INIT, wish(founder.company_id, founder.user_id))

    assert (before, between) == ({"initialized": False}, {"initialized": False})
    assert nobody.get(INIT).get_json() == {"initialized": True}


@both_databases
@pytest.mark.usefixtures("empty")
def test_founder_without_roles_becomes_the_administrator_once(nobody: ApiClient, app: Flask) -> None:
    founder = without_roles(app, "acme", is_platform=True)
    wanted = wish(founder.company_id, founder.user_id)
    denied = founder.get("/customers").status_code

    first, again = nobody.post(INIT, wanted), nobody.post(INIT, wanted)

    assert (denied, first.status_code, again.status_code) == (403, 201, 200)
    assert first.get_json() == again.get_json()
    assert founder.get("/customers").status_code == 200
    assert {each["code"] for each in founder.get("/guardian/roles").get_json()} == {
        "administrator",
        "manager",
        "viewer",
        "customer",
    }


def test_administrator_that_exists_is_told_so(acme: Tenant, nobody: ApiClient) -> None:
    answer = nobody.post(INIT, wish(acme.admin.company_id, acme.admin.user_id))

    assert answer.status_code == 200
    assert answer.get_json() == {
        "initialized": True,
        "company_id": acme.admin.company_id,
        "user_id": acme.admin.user_id,
    }


def test_body_of_existing_clients_is_taken(acme: Tenant, nobody: ApiClient) -> None:
    body = wish(acme.admin.company_id, acme.admin.user_id, email=acme.admin.email, password="secret password")
    body["company"]["name"] = "acme"

    assert nobody.post(INIT, body).status_code == 200


def test_everybody_else_is_refused_in_the_same_words(acme: Tenant, globex: Tenant, nobody: ApiClient) -> None:
    someone = acme.user()
    wanted = [
        wish(acme.admin.company_id, someone.user_id),
        wish(globex.admin.company_id, acme.admin.user_id),
        wish(acme.admin.company_id, str(uuid4())),
        wish(str(uuid4()), acme.admin.user_id),
    ]

    assert [refusal(nobody.post(INIT, each)) for each in wanted] == [ALREADY] * 4


@both_databases
def test_company_with_a_second_user_has_nobody_to_claim_it(app: Flask, nobody: ApiClient) -> None:
    founder = without_roles(app, "initech")
    Tenant(app, UUID(founder.company_id), founder).user()

    answer = nobody.post(INIT, wish(founder.company_id, founder.user_id))

    assert refusal(answer) == ALREADY


def test_secret_of_the_operator_is_asked_for_where_there_is_one(acme: Tenant, variant: Variant) -> None:
    guarded = ApiClient(variant(INIT_TOKEN="operator"))
    wanted = wish(acme.admin.company_id, acme.admin.user_id)

    without = guarded.post(INIT, wanted)
    wrong = guarded.post(INIT, wanted, headers={"X-Init-Token": "other"})
    right = guarded.post(INIT, wanted, headers={"X-Init-Token": "operator"})

    assert [each.status_code for each in (without, wrong, right)] == [401, 401, 200]


ONE, TWO, THREE = (str(UUID(int=number)) for number in (1, 2, 3))


@by_row(
    ("body", "at_fault"),
    [
        ({"company": {}, "user": {}}, ["company_id", "user_id"]),
        ({"company_id": ONE}, ["user_id"]),
        ({"user": {"id": ONE}}, ["company_id"]),
        (wish(ONE, TWO) | {"user_id": THREE}, ["user_id"]),
        ({"company": {"id": ONE, "company_id": TWO}, "user_id": THREE}, ["company_id"]),
        ({"company": "x", "user": []}, ["company", "user"]),
        ({"company_id": None, "user_id": "x"}, ["company_id", "user_id"]),
        ({"company": None, "user": None}, ["company", "user"]),
    ],
)
def test_wish_that_does_not_name_one_user_of_one_company_is_refused(
    nobody: ApiClient, body: Json, at_fault: list[str]
) -> None:
    answer = nobody.post(INIT, body)

    assert (answer.status_code, sorted(answer.get_json()["errors"])) == (400, at_fault)


@by_row(
    "body",
    [
        None,
        {},
        {"company_id": "{company}", "user_id": "{user}"},
        {"company": {"id": "{company}"}, "user": {"id": "{user}", "email": "ada@acme.example"}},
        {"company": {"company_id": "{company}", "name": "acme"}, "user_id": "{user}"},
        {"company": {"id": "{company}", "status": "active"}, "user": {"user_id": "{user}", "password": "short"}},
    ],
)
def test_every_form_of_the_wish_names_the_administrator(acme: Tenant, nobody: ApiClient, body: Any) -> None:
    ids = {"company": acme.admin.company_id, "user": acme.admin.user_id}

    answer = nobody.post(INIT, body and _filled(body, ids))

    found = {"initialized": True, "company_id": ids["company"], "user_id": ids["user"]}
    assert (answer.status_code, answer.get_json()) == (200, found)


def _filled(value: Any, ids: dict[str, str]) -> Any:
    return value.format(**ids) if isinstance(value, str) else {name: _filled(each, ids) for name, each in value.items()}


@both_databases
@pytest.mark.usefixtures("empty")
def test_wish_without_a_body_is_for_the_only_user_of_the_platform(nobody: ApiClient, app: Flask) -> None:
    early = nobody.post(INIT)
    founder = without_roles(app, "acme", is_platform=True)

    first, again = nobody.post(INIT), nobody.post(INIT)

    assert refusal(early)[:2] == (409, "CONFLICT")
    assert (first.status_code, again.status_code) == (201, 200)
    assert first.get_json()["user_id"] == founder.user_id
    assert founder.get("/customers").status_code == 200
    Tenant(app, UUID(founder.company_id), founder).user()
    assert refusal(nobody.post(INIT)) == ALREADY
