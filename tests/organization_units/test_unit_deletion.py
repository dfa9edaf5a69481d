"""Deleting a subtree of organization units."""

from typing import Any

import pytest
from sqlalchemy import func, select

from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.organization_units.models import OrganizationUnit
from tests.organization_units.units import PATH, Json, chain, etag, plant, read, unit
from tests.support.clients import PASSWORD, Tenant, unique
from tests.support.marks import one_database


def holder(company: Tenant, position: Json) -> Json:
    values = {"email": f"{unique('holder')}@example.com", "password": PASSWORD, "position_id": position["id"]}
    return company.admin.create("/users", values)


def test_delete_takes_the_subtree_and_its_positions_and_leaves_their_holders(acme: Tenant) -> None:
    top, below, _ = chain(acme.admin, 3)
    bystander = unit(acme.admin, "Bystander")
    gone = acme.admin.create("/positions", {"title": "Lead", "organization_unit_id": below["id"]})
    kept = acme.admin.create("/positions", {"title": "Clerk", "organization_unit_id": bystander["id"]})
    vacated, untouched = holder(acme, gone), holder(acme, kept)
    tags = [etag(acme.admin, f"/users/{user['id']}") for user in (vacated, untouched)]

    answer = acme.admin.delete(f"{PATH}/{top['id']}")

    assert answer.status_code == 204
    assert {row["name"] for row in acme.admin.get(PATH).get_json()["data"]} == {"default organization", "Bystander"}
    assert acme.admin.get(f"/positions/{gone['id']}").status_code == 404
    assert acme.admin.get(f"/users/{vacated['id']}").get_json()["position_id"] is None
    assert acme.admin.get(f"/users/{untouched['id']}").get_json()["position_id"] == kept["id"]
    assert etag(acme.admin, f"/users/{vacated['id']}") != tags[0]
    assert etag(acme.admin, f"/users/{untouched['id']}") == tags[1]


def test_deleting_hundreds_of_units_takes_a_fixed_number_of_statements(acme: Tenant, statements: Any) -> None:
    few, many = unit(acme.admin, "Few"), unit(acme.admin, "Many")
    plant(acme, few, 2)
    plant(acme, many, 400)

    with statements() as small:
        acme.admin.delete(f"{PATH}/{few['id']}")
    with statements() as large:
        answer = acme.admin.delete(f"{PATH}/{many['id']}")

    assert answer.status_code == 204
    assert len(large) == len(small)


def test_dry_run_counts_what_would_go_and_changes_nothing(acme: Tenant) -> None:
    top, below, _ = chain(acme.admin, 3)
    lead = acme.admin.create("/positions", {"title": "Lead", "organization_unit_id": below["id"]})
    acme.admin.create("/positions", {"title": "Vacant", "organization_unit_id": top["id"]})
    user = holder(acme, lead)

    answer = acme.admin.delete(f"{PATH}/{top['id']}?dry_run=true")

    assert answer.status_code == 200
    assert answer.get_json() == {"organization_units": 3, "positions": 2, "users_without_position": 1}
    assert read(acme.admin, top) == top
    assert acme.admin.get(f"/users/{user['id']}").get_json()["position_id"] == lead["id"]


@one_database
@pytest.mark.parametrize("query", ["?dryrun=true", "?dry_run=yes", "?dry_run=", "?dry_run=true&dry_run=false"])
def test_misspelt_dry_run_deletes_nothing(acme: Tenant, query: str) -> None:
    row = unit(acme.admin, "Sales")

    answer = acme.admin.delete(f"{PATH}/{row['id']}{query}")

    assert answer.status_code == 400
    assert read(acme.admin, row) == row


def test_stale_if_match_keeps_the_subtree(acme: Tenant) -> None:
    row = unit(acme.admin, "Sales")
    old = etag(acme.admin, f"{PATH}/{row['id']}")
    acme.admin.patch(f"{PATH}/{row['id']}", {"name": "Support"})

    answer = acme.admin.delete(f"{PATH}/{row['id']}", headers={"If-Match": old})

    assert answer.status_code == 412
    assert acme.admin.get(f"{PATH}/{row['id']}").status_code == 200


def test_counts_follow_a_subtree_that_went(acme: Tenant) -> None:
    top = unit(acme.admin, "Top")
    plant(acme, top, 60)

    acme.admin.delete(f"{PATH}/{top['id']}")

    total = acme.admin.get(f"{PATH}?limit=1&offset=0").get_json()["pagination"]["total"]
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
        assert total == db.session.scalar(select(func.count()).select_from(OrganizationUnit)) == 1
