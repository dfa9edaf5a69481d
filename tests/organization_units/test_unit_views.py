"""Looking at the tree of organization units."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.organization_units.units import DECISION, PATH, chain, unit
from tests.support.clients import Tenant


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
    assert found["positions"] == [{"id": position["id"], "title": "Lead", "description": None, "level": None}]
