"""What /organization_units adds to the kernel: a tree that stays right."""

from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import func, insert, select
from uuid_utils.compat import uuid7

from app.base.text import fold
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.organization_units.models import MAX_LEVEL, OrganizationUnit
from tests.support.clients import PASSWORD, ApiClient, Tenant, unique
from tests.support.marks import one_database

PATH = "/organization_units"
DECISION = 1
Json = dict[str, Any]


def unit(admin: ApiClient, name: str, parent: Json | None = None) -> Json:
    return admin.create(PATH, {"name": name, "parent_id": parent and parent["id"]})


def chain(admin: ApiClient, length: int, parent: Json | None = None) -> list[Json]:
    """Units each below the one before."""
    found: list[Json] = []
    for number in range(length):
        parent = unit(admin, f"level {number}", parent)
        found.append(parent)
    return found


def read(admin: ApiClient, row: Json) -> Json:
    found: Json = admin.get(f"{PATH}/{row['id']}").get_json()
    return found


def etag(admin: ApiClient, path: str) -> str:
    return str(admin.get(path).headers["ETag"])


def plant(company: Tenant, parent: Json, count: int) -> None:
    """``count`` units below a parent, each below the one before up to four levels deep, straight into the table."""
    rows: list[Json] = []
    for number in range(count):
        above = rows[-1] if number % 4 else parent
        rows.append(_planted(company, above, number))
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        db.session.execute(insert(OrganizationUnit), rows, execution_options={"unguarded": "many rows of a test"})


def _planted(company: Tenant, above: Json, number: int) -> Json:
    row_id, name = uuid7(), f"unit {number}"
    return {
        "company_id": company.company_id,
        "id": row_id,
        "name": name,
        "name_key": fold(name),
        "search_text": fold(name),
        "parent_id": UUID(str(above["id"])),
        "path": f"{above['path']}/{row_id}",
        "level": above["level"] + 1,
    }


def holder(company: Tenant, position: Json) -> Json:
    values = {"email": f"{unique('holder')}@example.com", "password": PASSWORD, "position_id": position["id"]}
    return company.admin.create("/users", values)


# Placing


def test_unit_knows_its_path_and_level(acme: Tenant) -> None:
    top = unit(acme.admin, "Sales")

    below = unit(acme.admin, "North", top)

    assert (top["path"], top["level"], top["parent_id"]) == (f"/{top['id']}", 0, None)
    assert (below["path"], below["level"], below["parent_id"]) == (f"/{top['id']}/{below['id']}", 1, top["id"])


@one_database
@pytest.mark.parametrize("field", ["path", "level", "company_id"])
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


def test_put_without_a_parent_leaves_the_unit_where_it_is(acme: Tenant) -> None:
    top = unit(acme.admin, "Sales")
    below = unit(acme.admin, "North", top)

    answer = acme.admin.put(f"{PATH}/{below['id']}", {"name": "South"})

    assert answer.get_json()["parent_id"] == top["id"]
    assert answer.get_json()["name"] == "South"


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


# Looking


def test_tree_is_nested_by_name_in_one_statement(acme: Tenant, statements: Any) -> None:
    top = unit(acme.admin, "company")
    for name in ("beta", "Alpha"):
        unit(acme.admin, name, top)

    with statements() as sent:
        answer = acme.admin.get(f"{PATH}/tree")

    node = next(each for each in answer.get_json()["data"] if each["id"] == top["id"])
    assert [each["name"] for each in node["children"]] == ["Alpha", "beta"]
    assert len(sent) <= 2 + DECISION


def test_tree_of_a_company_shows_no_unit_of_another(acme: Tenant, globex: Tenant) -> None:
    theirs = unit(globex.admin, "Theirs")

    tree = acme.admin.get(f"{PATH}/tree").get_json()["data"]

    assert theirs["id"] not in [node["id"] for node in tree]


@pytest.mark.parametrize("view", ["children", "descendants", "ancestors", "positions"])
def test_views_of_a_foreign_or_unknown_unit_are_not_found(acme: Tenant, globex: Tenant, view: str) -> None:
    foreign = unit(globex.admin, "Theirs")

    answers = [acme.admin.get(f"{PATH}/{each}/{view}") for each in (foreign["id"], uuid7())]

    assert [answer.status_code for answer in answers] == [404, 404]
    assert {answer.get_json()["error_code"] for answer in answers} == {"ORGANIZATION_UNIT_NOT_FOUND"}


def test_ancestors_come_from_the_root_down(acme: Tenant) -> None:
    *above, last = chain(acme.admin, 4)

    answer = acme.admin.get(f"{PATH}/{last['id']}/ancestors")

    assert answer.get_json()["data"] == above


def test_filters_find_roots_children_levels_and_names(acme: Tenant) -> None:
    top = unit(acme.admin, "Top")
    below = unit(acme.admin, "Below", top)

    def found(query: str) -> set[str]:
        return {row["name"] for row in acme.admin.get(f"{PATH}?{query}").get_json()["data"]}

    assert found("parent_id=null") == {"Top", "default organization"}
    assert found(f"parent_id={top['id']}") == found("level=1") == found("name=Below") == {below["name"]}


def test_expand_embeds_parent_children_and_positions(acme: Tenant) -> None:
    top, below, deeper = chain(acme.admin, 3)
    position = acme.admin.create("/positions", {"title": "Lead", "organization_unit_id": below["id"]})

    answer = acme.admin.get(f"{PATH}/{below['id']}?expand=parent,children,positions")

    found = answer.get_json()
    assert found["parent"]["id"] == top["id"]
    assert [child["id"] for child in found["children"]] == [deeper["id"]]
    assert found["positions"] == [{"id": position["id"], "title": "Lead", "level": None}]


# Deleting


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
