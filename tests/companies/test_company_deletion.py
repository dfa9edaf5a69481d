"""Deleting a company with what it holds."""

from uuid import UUID

import pytest
from uuid_utils.compat import uuid7

from tests.companies.founding import PATH, fill, item, names, tenant_rows
from tests.support.clients import Tenant, make_tenant
from tests.support.marks import one_database
from tests.support.rows import by_row


def test_company_that_holds_anything_stays_and_the_message_counts_it(acme: Tenant, globex: Tenant) -> None:
    fill(globex)
    before = tenant_rows(globex)

    answer = acme.admin.delete(item(globex))

    found = answer.get_json()
    assert (answer.status_code, found["error_code"]) == (409, "COMPANY_NOT_EMPTY")
    for part in ("2 user", "2 organization_unit", "2 position", "1 customer", "1 subcontractor"):
        assert part in found["detail"]
    assert tenant_rows(globex) == before


def test_empty_company_is_deleted_with_its_roles(acme: Tenant) -> None:
    made = acme.admin.create(PATH, {"name": "Initech"})

    answer = acme.admin.delete(f"{PATH}/{made['id']}")

    assert answer.status_code == 204
    assert set(tenant_rows(Tenant(acme.app, UUID(made["id"]), acme.admin)).values()) == {0}


def test_dry_run_counts_and_changes_nothing(acme: Tenant, globex: Tenant) -> None:
    fill(globex)
    before = tenant_rows(globex)

    answer = acme.admin.delete(f"{item(globex)}?dry_run=true&cascade=true")

    assert answer.status_code == 200
    held = {"user": 2, "organization_unit": 2, "position": 2, "customer": 1, "subcontractor": 1}
    assert answer.get_json() == held
    assert tenant_rows(globex) == before


@pytest.mark.parametrize("status", ["active", "suspended"])
def test_only_an_inactive_company_goes_with_all_that_it_holds(acme: Tenant, globex: Tenant, status: str) -> None:
    acme.admin.patch(item(globex), {"status": status})
    before = tenant_rows(globex)

    answer = acme.admin.delete(f"{item(globex)}?cascade=true")

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "COMPANY_NOT_INACTIVE")
    assert tenant_rows(globex) == before


def test_cascade_leaves_no_row_of_the_company_in_any_table(acme: Tenant, globex: Tenant) -> None:
    """The tables come from the metadata: a new one is covered without an edit."""
    initech = make_tenant(acme.app, "initech")
    for company in (globex, initech):
        fill(company)
    bystanders = [tenant_rows(company) for company in (acme, initech)]
    assert all(tenant_rows(globex).values()), tenant_rows(globex)
    acme.admin.patch(item(globex), {"status": "inactive"})

    answer = acme.admin.delete(f"{item(globex)}?cascade=true")

    assert answer.status_code == 204
    assert set(tenant_rows(globex).values()) == {0}
    assert [tenant_rows(company) for company in (acme, initech)] == bystanders
    assert globex.admin.get("/users/me").status_code == 401
    assert names(acme.admin) == {"acme", "initech"}


def test_addresses_and_names_of_a_deleted_company_are_free_again(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(globex), {"status": "inactive"})
    acme.admin.delete(f"{item(globex)}?cascade=true")

    again = make_tenant(acme.app, "globex")

    assert again.admin.get("/users/me").get_json()["email"] == "admin@globex.example"


def test_deleting_an_unknown_company_is_not_found(acme: Tenant) -> None:
    assert acme.admin.delete(f"{PATH}/{uuid7()}?cascade=true").status_code == 404


@one_database
@by_row("query", ["?cascade=1", "?casade=true", "?cascade=true&dryrun=true"])
def test_misspelt_parameter_deletes_nothing(acme: Tenant, globex: Tenant, query: str) -> None:
    acme.admin.patch(item(globex), {"status": "inactive"})

    answer = acme.admin.delete(f"{item(globex)}{query}")

    assert answer.status_code == 400
    assert names(acme.admin) == {"acme", "globex"}


def test_stale_if_match_deletes_nothing(acme: Tenant, globex: Tenant) -> None:
    tag = acme.admin.get(item(globex)).headers["ETag"]
    acme.admin.patch(item(globex), {"status": "inactive"})

    answer = acme.admin.delete(f"{item(globex)}?cascade=true", headers={"If-Match": tag})

    assert answer.status_code == 412
    assert names(acme.admin) == {"acme", "globex"}
