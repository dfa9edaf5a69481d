"""Companies: who sees and changes which, and what is unique across them."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tests.companies.founding import PATH, Json, fill, item, names, tenant_rows
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row


def test_platform_users_list_and_read_every_company(acme: Tenant, globex: Tenant) -> None:
    manager = acme.user("manager")

    assert names(manager) == {"acme", "globex"}
    assert manager.get(item(globex)).get_json()["name"] == "globex"
    assert acme.admin.get(item(acme)).get_json()["is_platform"] is True


def test_everyone_else_lists_and_reads_exactly_their_own(acme: Tenant, globex: Tenant) -> None:
    listed = globex.admin.get(PATH).get_json()

    assert [row["name"] for row in listed["data"]] == ["globex"]
    assert listed["pagination"]["total"] == 1
    assert globex.admin.get(item(globex)).get_json()["is_platform"] is False
    assert names(globex.admin, "?search=acme") == names(globex.admin, f"?id__in={acme.company_id}") == set()


@by_row("method", ["GET", "PUT", "PATCH"])
def test_another_company_is_as_unknown_as_none(acme: Tenant, globex: Tenant, method: str) -> None:
    json = None if method == "GET" else {"name": "Mine"}

    answers = [globex.admin.request(method, path, json) for path in (item(acme), f"{PATH}/{uuid7()}")]

    shown = [answer.get_json() for answer in answers]
    assert [answer.status_code for answer in answers] == [404, 404]
    assert shown[0]["detail"] == shown[1]["detail"]
    assert acme.admin.get(item(acme)).get_json()["name"] == "acme"


def test_only_platform_users_create_companies(acme: Tenant, globex: Tenant) -> None:
    refused = globex.admin.post(PATH, {"name": "Initech"})
    created = acme.admin.post(PATH, {"name": "Initech"})

    assert refused.status_code == 403
    assert created.status_code == 201
    assert created.headers["Location"] == f"{PATH}/{created.get_json()['id']}"
    assert created.get_json() | {"status": "active", "is_platform": False, "total_users": 0} == created.get_json()


@pytest.mark.parametrize("query", ["", "?cascade=true", "?dry_run=true"])
def test_only_platform_users_delete_companies(acme: Tenant, globex: Tenant, query: str) -> None:
    own = globex.admin.delete(f"{item(globex)}{query}")
    foreign = globex.admin.delete(f"{item(acme)}{query}")

    assert own.status_code == foreign.status_code == 403
    assert names(acme.admin) == {"acme", "globex"}


def test_platform_user_without_the_permission_is_refused(acme: Tenant, globex: Tenant) -> None:
    viewer = acme.user("viewer")

    answers = [
        viewer.post(PATH, {"name": "Initech"}),
        viewer.patch(item(globex), {"name": "Initech"}),
        viewer.delete(item(globex)),
    ]

    assert [answer.get_json()["error_code"] for answer in answers] == ["ACCESS_DENIED"] * 3


def test_own_company_may_be_updated_when_granted(acme: Tenant, globex: Tenant) -> None:
    granted = globex.admin.patch(item(globex), {"city": "Springfield"})
    denied = globex.user("manager").patch(item(globex), {"city": "Shelbyville"})

    assert granted.get_json()["city"] == "Springfield"
    assert denied.status_code == 403
    assert acme.admin.get(item(globex)).get_json()["city"] == "Springfield"


def test_platform_users_read_nothing_else_of_another_company(acme: Tenant, globex: Tenant) -> None:
    fill(globex)

    for path in ("users", "organization_units", "positions", "customers", "subcontractors", "guardian/user-roles"):
        found = globex.admin.get(f"/{path}").get_json()
        rows = found if isinstance(found, list) else found["data"]
        assert rows, path
        assert acme.admin.get(f"/{path}/{rows[-1]['id']}").status_code == 404


def test_new_company_has_its_default_roles_and_nothing_of_the_platform(acme: Tenant) -> None:
    made = acme.admin.create(PATH, {"name": "Initech"})

    company = Tenant(acme.app, UUID(made["id"]), acme.admin)
    counted = {name: count for name, count in tenant_rows(company).items() if count}
    assert counted.pop("role") == 4
    assert set(counted) == {"company", "policy", "role_policy", "policy_permission"}


# What is unique across companies


def test_name_is_unique_in_any_case(acme: Tenant, globex: Tenant) -> None:
    acme.admin.create(PATH, {"name": "Straße"})

    created = acme.admin.post(PATH, {"name": " STRASSE "})
    renamed = globex.admin.patch(item(globex), {"name": "ACME"})

    assert created.status_code == renamed.status_code == 409
    assert created.get_json()["errors"] == renamed.get_json()["errors"] == {"name": ["Already in use."]}
    assert names(acme.admin) == {"acme", "globex", "Straße"}


def test_company_key_is_unique(acme: Tenant, globex: Tenant) -> None:
    acme.admin.create(PATH, {"name": "Initech", "company_key": "LOGISTIC-001"})

    answer = globex.admin.patch(item(globex), {"company_key": "LOGISTIC-001"})

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"company_key": ["Already in use."]}


def test_document_number_is_unique_per_document_type(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(acme), {"document_type": "NIT", "document_number": "900-1"})

    again = globex.admin.patch(item(globex), {"document_type": "NIT", "document_number": "900-1"})
    other = globex.admin.patch(item(globex), {"document_type": "tax_id", "document_number": "900-1"})

    assert again.status_code == 409
    assert again.get_json()["errors"] == {"document_number": ["Already in use."]}
    assert other.status_code == 200


@one_database
@by_row(
    "values",
    [
        {"document_type": "unheard of"},
        {"status": "closed"},
        {"customer_registration": "maybe"},
        {"days_credit": -1},
        {"days_credit": 2**31},
        {"website": "javascript:alert(1)"},
        {"email": "nobody"},
        {"postal_code": "1" * 21},
        {"name": " "},
        {"name": "x" * 101},
    ],
)
def test_value_that_does_not_fit_is_named(acme: Tenant, globex: Tenant, values: Json) -> None:
    changed = acme.admin.patch(item(globex), values)
    created = acme.admin.post(PATH, {"name": "Initech"} | values)

    assert changed.status_code == created.status_code == 400
    assert list(changed.get_json()["errors"]) == list(created.get_json()["errors"]) == list(values)
    assert names(acme.admin) == {"acme", "globex"}
