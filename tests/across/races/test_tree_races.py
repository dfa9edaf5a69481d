"""Several processes change one tree: no cycle, every path right, whatever the order."""

import random
from typing import Any

import pytest
from sqlalchemy import Engine, select

from app.organization_units.models import OrganizationUnit
from tests.across.races.fleet import SIZE, Fleet, Wish, by
from tests.support.clients import ApiClient, Tenant, make_tenant, unique

PATH = "/organization_units"
CROSSINGS, STORMS, STEPS = 8, 3, 30
Json = dict[str, Any]


def unit(admin: ApiClient, name: str, parent: Json | None = None) -> Json:
    return admin.create(PATH, {"name": name, "parent_id": parent and parent["id"]})


def move(admin: ApiClient, row: Json, parent: Json | None) -> Wish:
    return by(admin, "PATCH", f"{PATH}/{row['id']}", {"parent_id": parent and parent["id"]})


def faults(everything: Engine) -> list[str]:
    """What contradicts itself: a path, a level, a cycle, a parent that is not there, two siblings of one name."""
    table = OrganizationUnit.__table__
    with everything.connect() as connection:
        rows = {row.id: row for row in connection.execute(select(table))}
    found = [f"{row.id}: {row.path}" for row in rows.values() if row.path != _path(rows, row)]
    found += [f"{row.id}: {row.level}" for row in rows.values() if row.level != row.path.count("/") - 1]
    places = [(row.company_id, row.parent_id, row.name) for row in rows.values()]
    return found + [f"twice: {place}" for place in places if places.count(place) > 1]


def _path(rows: dict[Any, Any], row: Any) -> str:
    ids = [row.id]
    while row is not None and row.parent_id is not None and row.parent_id not in ids:
        ids.append(row.parent_id)
        row = rows.get(row.parent_id)
    return "/" + "/".join(str(each) for each in reversed(ids))


def test_two_units_moved_below_each_other_at_once_never_make_a_cycle(
    acme: Tenant, fleet: Fleet, everything: Engine
) -> None:
    for number in range(CROSSINGS):
        first, second = unit(acme.admin, f"first {number}"), unit(acme.admin, f"second {number}")

        answers = fleet.race(*[move(acme.admin, first, second), move(acme.admin, second, first)] * 2)

        assert {answer.status for answer in answers} <= {200, 400, 409, 503}
        assert 200 in [answer.status for answer in answers]
        assert faults(everything) == []
    assert fleet.seen[409] + fleet.seen[400] >= CROSSINGS


def test_chain_turned_around_by_several_at_once_keeps_its_paths(acme: Tenant, fleet: Fleet, everything: Engine) -> None:
    """The subtree of one move holds the target of the next."""
    for number in range(CROSSINGS):
        parts = [unit(acme.admin, f"{part} {number}") for part in "abcd"]
        leaves = [unit(acme.admin, "leaf", part) for part in parts]

        fleet.race(*(move(acme.admin, parts[at], leaves[(at + 1) % SIZE]) for at in range(SIZE)))

        assert faults(everything) == []


@pytest.mark.parametrize("seed", range(STORMS))
def test_storm_of_moves_creations_renames_and_deletions_leaves_a_right_tree(
    acme: Tenant, fleet: Fleet, everything: Engine, seed: int
) -> None:
    company = make_tenant(acme.app, unique("storm"))
    units = [unit(company.admin, f"unit {number}") for number in range(10)]
    units += [unit(company.admin, f"unit {number}", units[number]) for number in range(10)]
    dice = random.Random(seed)

    batches = [[_anything(company.admin, units, dice) for _ in range(STEPS)] for _ in range(SIZE)]
    answers = [answer for batch in fleet.run(*batches) for answer in batch]

    assert {answer.status for answer in answers} <= {200, 201, 204, 400, 404, 409, 503}
    assert min(fleet.seen[200], fleet.seen[201], fleet.seen[204]) > 0
    assert faults(everything) == []
    trees = [answer.body["data"] for answer in answers if answer.status == 200 and "data" in answer.body]
    assert trees
    assert [fault for tree in trees for fault in _misplaced(tree)] == []


def _anything(admin: ApiClient, units: list[Json], dice: random.Random) -> Wish:
    row, other = dice.choice(units), dice.choice([*units, None])
    name = f"unit {dice.randrange(12)}"
    what = dice.choices(("move", "create", "rename", "position", "look", "delete"), (16, 6, 3, 3, 3, 1))[0]
    if what == "move":
        return move(admin, row, other)
    if what == "create":
        return by(admin, "POST", PATH, {"name": unique("new"), "parent_id": other and other["id"]})
    if what == "rename":
        return by(admin, "PATCH", f"{PATH}/{row['id']}", {"name": name})
    if what == "position":
        return by(admin, "POST", f"{PATH}/{row['id']}/positions", {"title": name})
    return by(admin, "GET", f"{PATH}/tree") if what == "look" else by(admin, "DELETE", f"{PATH}/{row['id']}")


def _misplaced(nodes: list[Json], path: str = "") -> list[str]:
    """Nodes that a reader saw where their path says they are not."""
    found = [node["path"] for node in nodes if node["path"] != f"{path}/{node['id']}"]
    return found + [fault for node in nodes for fault in _misplaced(node["children"], node["path"])]
