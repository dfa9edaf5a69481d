"""Organization units: their places, names and moves."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import select

from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.organization_units.models import MAX_LEVEL, OrganizationUnit
from tests.organization_units.units import DECISION, PATH, chain, etag, plant, read, unit
from tests.support.clients import Tenant
from tests.support.marks import one_database


def test_unit_knows_its_path_and_level(acme: Tenant) -> None:
    top = unit(acme.admin, "Sales")

    below = unit(acme.admin, "North", top)

    assert (top["path"], top["level"], top["parent_id"]) == (f"/{top['id']}", 0, None)
    assert (below["path"], below["level"], below["parent_id"]) == (f"/{top['id']}/{below['id']}", 1, top["id"])


@one_database
@pytest.mark.parametrize("field", ["path", "level"])
def test_what_follows_from_the_place_cannot_be_written(acme: Tenant, field: str) -> None:
    row = unit(acme.admin, "Sales")

    answer = acme.admin.patch(f"{PATH}/{row['id']}", {field: row[field]})

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [field]


def test_parent_of_another_company_does_not_exist(acme: Tenant, globex: Tenant) -> None:
    foreign, own = unit(globex.admin, "Theirs"), unit(acme.admin, "Ours")

    created = acme.admin.post(PATH, {"name": "Below", "parent_id": foreign["id"]})
    moved = acme.admin.patch(f"{PATH}/{own['id']}", {"parent_id": foreign["id"]})

    assert created.status_code == moved.status_code == 400
    assert created.get_json()["errors"] == moved.get_json()["errors"] == {"parent_id": ["Not found."]}
    assert read(acme.admin, own) == own


@one_database
def test_put_without_a_parent_leaves_the_unit_where_it_is(acme: Tenant) -> None:
    top = unit(acme.admin, "Sales")
    below = unit(acme.admin, "North", top)

    answer = acme.admin.put(f"{PATH}/{below['id']}", {"name": "South"})

    assert answer.get_json()["parent_id"] == top["id"]
    assert answer.get_json()["name"] == "South"


@one_database
def test_tree_is_at_most_fifty_levels_deep(acme: Tenant) -> None:
    *_, last = chain(acme.admin, MAX_LEVEL + 1)
    pair = chain(acme.admin, 2, unit(acme.admin, "elsewhere"))

    too_deep = acme.admin.post(PATH, {"name": "too deep", "parent_id": last["id"]})
    moved = acme.admin.patch(f"{PATH}/{pair[0]['id']}", {"parent_id": last["parent_id"]})

    assert last["level"] == 50
    assert too_deep.status_code == moved.status_code == 400
    assert list(too_deep.get_json()["errors"]) == list(moved.get_json()["errors"]) == ["parent_id"]
    assert read(acme.admin, pair[1]) == pair[1]


# Names


@pytest.mark.parametrize("is_root", [True, False])
def test_siblings_have_different_names(acme: Tenant, is_root: bool) -> None:
    parent = None if is_root else unit(acme.admin, "Parent")
    unit(acme.admin, "Sales", parent)
    other = unit(acme.admin, "Support", parent)

    created = acme.admin.post(PATH, {"name": " Sales ", "parent_id": parent and parent["id"]})
    renamed = acme.admin.patch(f"{PATH}/{other['id']}", {"name": "Sales"})

    assert created.status_code == renamed.status_code == 409
    assert created.get_json()["errors"] == renamed.get_json()["errors"] == {"name": ["Already in use."]}


@pytest.mark.parametrize("to_root", [True, False])
def test_unit_cannot_be_moved_next_to_one_of_its_name(acme: Tenant, to_root: bool) -> None:
    first, second = unit(acme.admin, "First"), unit(acme.admin, "Second")
    target = None if to_root else first
    unit(acme.admin, "Sales", target)
    mover = unit(acme.admin, "Sales", second)

    answer = acme.admin.patch(f"{PATH}/{mover['id']}", {"parent_id": target and target["id"]})

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"name": ["Already in use."]}
    assert read(acme.admin, mover) == mover


def test_name_is_free_below_another_parent_and_in_another_company(acme: Tenant, globex: Tenant) -> None:
    first, second = unit(acme.admin, "First"), unit(acme.admin, "Second")
    unit(acme.admin, "Sales", first)

    assert unit(acme.admin, "Sales", second)["name"] == "Sales"
    assert unit(globex.admin, "First")["name"] == "First"


def test_new_name_in_a_move_counts_only_where_the_unit_arrives(acme: Tenant) -> None:
    first, second = unit(acme.admin, "First"), unit(acme.admin, "Second")
    mover = unit(acme.admin, "Sales", first)
    unit(acme.admin, "Support", first)
    unit(acme.admin, "Sales", second)

    answer = acme.admin.patch(f"{PATH}/{mover['id']}", {"name": "Support", "parent_id": second["id"]})

    assert answer.status_code == 200
    assert answer.get_json()["path"] == f"/{second['id']}/{mover['id']}"
    assert acme.admin.get(f"{PATH}?search=support").get_json()["pagination"]["total"] == 2


# Moving


@pytest.mark.parametrize("depth", [0, 1, 2])
def test_unit_cannot_be_moved_below_itself(acme: Tenant, depth: int) -> None:
    units = chain(acme.admin, 3)

    answer = acme.admin.patch(f"{PATH}/{units[0]['id']}", {"parent_id": units[depth]["id"]})

    assert answer.status_code == 400
    assert answer.get_json()["errors"] == {"parent_id": ["A unit cannot be moved below itself."]}
    assert [read(acme.admin, each) for each in units] == units


def test_moving_hundreds_of_units_is_one_update(acme: Tenant, statements: Any) -> None:
    top, target = unit(acme.admin, "Top"), unit(acme.admin, "Target")
    plant(acme, top, 400)

    with statements() as sent:
        answer = acme.admin.patch(f"{PATH}/{top['id']}", {"parent_id": target["id"]})

    assert answer.status_code == 200
    assert len([each for each in sent if each.startswith("UPDATE")]) == 1
    assert len(sent) <= 10 + DECISION
    below = acme.admin.get(f"{PATH}/{target['id']}/descendants?limit=1000&sort=path").get_json()["data"]
    assert len(below) == 401
    assert all(row["path"].startswith(f"/{target['id']}/{top['id']}") for row in below)
    assert all(row["path"].count("/") == row["level"] + 1 for row in below)


def test_move_is_a_new_version_of_every_moved_unit_and_of_no_other(acme: Tenant) -> None:
    top, below, deeper = chain(acme.admin, 3)
    target, bystander = unit(acme.admin, "Target"), unit(acme.admin, "Bystander")
    paths = [f"{PATH}/{each['id']}" for each in (below, deeper, top, target, bystander)]
    before = [etag(acme.admin, path) for path in paths]

    moved = acme.admin.patch(paths[0], {"parent_id": target["id"]})

    after = [etag(acme.admin, path) for path in paths]
    assert moved.headers["ETag"] == after[0]
    assert [old != new for old, new in zip(before, after, strict=True)] == [True, True, False, False, False]
    assert acme.admin.patch(paths[1], {"name": "x"}, headers={"If-Match": before[1]}).status_code == 412


def test_units_whose_ids_only_begin_alike_do_not_move_along(acme: Tenant) -> None:
    """The range of a subtree ends at its slash."""
    top, other = unit(acme.admin, "Top"), unit(acme.admin, "Other")
    target = unit(acme.admin, "Target")
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work():
        row = db.session.scalars(select(OrganizationUnit).where(OrganizationUnit.id == UUID(other["id"]))).one()
        row.path = f"{top['path']}-alike"

    acme.admin.patch(f"{PATH}/{top['id']}", {"parent_id": target["id"]})

    assert read(acme.admin, other)["path"] == f"{top['path']}-alike"
