"""The embedded Guardian: default roles and decisions."""

from typing import Any

import pytest

from app.base.permission import KEY, Permission
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.guardian.decision import decide
from app.guardian.service import load_catalogue
from tests.fakes.guardian import FakeGuardian
from tests.guardian.embedded import CHECK, Json, catalogue
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.roles import give, role_with, user_with
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

DOSSIER = (
    "communication_preference", "customer_address", "customer_contact", "customer_document",
    "customer_note", "customer_service",
    "customer_subscription", "customer_tag", "tag",
)  # fmt: skip
PEOPLE = ("user", "customer", "subcontractor", "customer_logo", "subcontractor_logo", *DOSSIER)
OWN = "customer_profile"
EXPORT = Permission("identity", "customer_export", "READ")


def question(client: ApiClient, permission: str = "identity:customer:LIST", **values: str) -> Json:
    service, resource_name, operation = permission.split(":")
    return {
        "user_id": client.user_id,
        "company_id": client.company_id,
        "service": service,
        "resource_name": resource_name,
        "operation": operation,
    } | values


def granted_to(company: Tenant, user: ApiClient) -> set[Permission]:
    """The whole catalogue, asked one by one."""
    with company.app.app_context():
        return {each for each in services().catalogue if decide(about(user, each))["access_granted"]}


def about(user: ApiClient, permission: Permission) -> Json:
    return question(user, f"{permission.service}:{permission.resource_name}:{permission.operation}")


# The default roles


def test_every_company_has_the_four_default_roles(acme: Tenant, globex: Tenant) -> None:
    for company in (acme, globex):
        roles = company.admin.get("/guardian/roles").get_json()
        assert {role["code"]: role["is_system"] for role in roles} == {
            "administrator": True,
            "manager": False,
            "viewer": False,
            "customer": False,
        }
        assert {role["company_id"] for role in roles} == {company.admin.company_id}


def test_administrator_may_do_what_the_tenant_can_have(acme: Tenant, globex: Tenant) -> None:
    assert granted_to(acme, acme.admin) == catalogue(acme)
    assert granted_to(globex, globex.admin) == {each for each in catalogue(globex) if not each.platform}


UNKNOWN = [
    "identity:customer:FLY", "identity:spaceship:READ", "identity:customer:read", "guardian:customer:READ",
    "storage:file:READ", "identity:customer:READ ", "Identity:customer:READ",
]  # fmt: skip


@by_row("permission", UNKNOWN)
def test_administrator_is_denied_what_no_catalogue_has(acme: Tenant, permission: str) -> None:
    answer = acme.admin.post(CHECK, question(acme.admin) | dict(zip(KEY, permission.split(":"), strict=True)))

    # Values are trimmed, as everywhere.
    assert answer.status_code == 200
    assert answer.get_json()["access_granted"] is permission.endswith(" ")


@by_row("permission", ["identity:company:CREATE", "identity:company:DELETE", "identity:document_type:UPDATE"])
def test_platforms_permission_is_granted_to_the_platform_only(acme: Tenant, globex: Tenant, permission: str) -> None:
    holders = {company.admin.company_id: user_with(company, permission) for company in (acme, globex)}

    asked = [acme.admin, globex.admin, *holders.values()]
    granted = [each.post(CHECK, question(each, permission)).get_json()["access_granted"] for each in asked]

    assert granted == [True, False, True, False]


def test_administrator_is_granted_what_another_service_brought(acme: Tenant, globex: Tenant) -> None:
    viewer, permission = acme.user("viewer"), "billing:invoice:READ"
    asked = [(each, question(each, permission)) for each in (acme.admin, globex.admin, viewer)]

    before = [client.post(CHECK, values).get_json()["access_granted"] for client, values in asked]
    with acme.app.app_context(), unit_of_work():
        load_catalogue([Permission("billing", "invoice", "READ")])
    after = [client.post(CHECK, values).get_json()["access_granted"] for client, values in asked]

    assert (before, after) == ([False] * 3, [True, True, False])


def own_profile(company: Tenant) -> set[Permission]:
    return {each for each in catalogue(company) if each.resource_name == OWN}


def test_manager_reads_everything_and_creates_and_updates_people(globex: Tenant) -> None:
    expected = {
        each
        for each in catalogue(globex)
        if not each.platform
        and (
            (each.operation in ("LIST", "READ") and each != EXPORT)
            or each.resource_name == OWN
            or (
                (each.service, each.resource_name in PEOPLE) == ("identity", True)
                and each.operation in ("CREATE", "UPDATE")
            )
        )
    }

    assert granted_to(globex, globex.user("manager")) == expected
    assert Permission("identity", "user", "DELETE") not in expected
    assert Permission("identity", "position", "CREATE") not in expected


@both_databases
def test_viewer_reads_everything_that_is_not_the_platforms(acme: Tenant, globex: Tenant) -> None:
    read = {each for each in catalogue(globex) if each.operation in ("LIST", "READ") and not each.platform}
    expected = (read - {EXPORT}) | own_profile(globex)

    assert granted_to(globex, globex.user("viewer")) == granted_to(acme, acme.user("viewer")) == expected


@pytest.mark.parametrize("role", ["customer", None])
def test_customer_may_keep_a_profile_and_user_without_a_role_nothing(globex: Tenant, role: str | None) -> None:
    user = globex.user(role)

    assert granted_to(globex, user) == (own_profile(globex) if role else set())
    assert user.get("/users/me").status_code == 200
    assert user.get("/customers").status_code == 403


def test_catalogue_is_listed_and_read_only(acme: Tenant) -> None:
    rows = acme.admin.get("/guardian/permissions?limit=1000").get_json()

    listed = {(row["service"], row["resource_name"], row["operation"]) for row in rows}
    assert listed >= {(each.service, each.resource_name, each.operation) for each in catalogue(acme)}
    assert acme.admin.post("/guardian/permissions", {}).status_code == 405


def test_lists_are_bare_arrays_that_take_page_and_limit(acme: Tenant) -> None:
    path = "/guardian/roles?sort=name&limit=3"

    first, second = acme.admin.get(path).get_json(), acme.admin.get(f"{path}&page=2").get_json()

    assert [role["name"] for role in first + second] == ["Administrator", "Customer", "Manager", "Viewer"]


# Decisions


@both_databases
def test_decision_is_one_statement(acme: Tenant, statements: Any) -> None:
    viewer = acme.user("viewer")

    with statements() as sent:
        answer = viewer.post(CHECK, question(viewer))

    assert answer.get_json() == {"access_granted": True, "reason": None}
    assert len(sent) == 1 + 1


@both_databases
@pytest.mark.parametrize(
    "permission",
    ["identity:customer:DELETE", "identity:spaceship:READ", "elsewhere:customer:LIST", "identity:customer:list"],
)
def test_denial_is_a_false_with_a_reason(acme: Tenant, permission: str) -> None:
    viewer = acme.user("viewer")

    answer = viewer.post(CHECK, question(viewer, permission))

    assert answer.status_code == 200
    assert answer.get_json()["access_granted"] is False
    assert answer.get_json()["reason"]


@both_databases
def test_permissions_of_several_roles_add_up(acme: Tenant) -> None:
    user = user_with(acme, "identity:customer:LIST")
    give(acme, user, role_with(acme, "identity:customer:CREATE"))

    assert user.get("/customers").status_code == 200
    assert user.post("/customers", {"name": "Wile"}).status_code == 201
    assert user.get("/subcontractors").status_code == 403


def test_check_needs_a_token_and_no_permission(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user()

    assert anonymous.post(CHECK, question(user)).status_code == 401
    assert user.post(CHECK, question(user)).status_code == 200


def test_only_the_tokens_own_ids_may_be_asked_about(acme: Tenant, globex: Tenant) -> None:
    user = acme.user()

    others = [
        question(user, user_id=acme.admin.user_id),
        question(user, company_id=globex.admin.company_id),
        question(user, user_id=globex.admin.user_id, company_id=globex.admin.company_id),
    ]

    answers = [user.post(CHECK, each) for each in others]
    answers.append(acme.admin.post(CHECK, question(acme.admin, user_id=user.user_id)))
    assert [(each.status_code, each.get_json()["access_granted"]) for each in answers] == [(403, False)] * 4


@by_row("name", ["user_id", "company_id", "service", "resource_name", "operation"])
def test_incomplete_question_is_named(acme: Tenant, name: str) -> None:
    values = question(acme.admin)
    del values[name]

    answer = acme.admin.post(CHECK, values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [name]


def test_engine_that_is_remote_is_not_mounted_here(acme: Tenant, variant: Variant) -> None:
    with FakeGuardian() as guardian:
        client = ApiClient(variant(GUARDIAN_SERVICE_URL=guardian.url), acme.admin.token)

        assert client.get("/guardian/roles").status_code == client.post(CHECK, {}).status_code == 404
