"""Whatever is done to the tree, in whatever order, it is what a naive dictionary says."""

from typing import Any

from flask import Flask
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.organization_units.models import OrganizationUnit
from tests.organization_units.model import NaiveTree
from tests.support.clients import ApiClient, Tenant, make_tenant, unique

PATH = "/organization_units"
CHANGES = {"move": ("parent_id",), "rename": ("name",), "move and rename": ("name", "parent_id")}
PLACES = st.integers(0, 11)
STEPS = st.lists(
    st.tuples(
        st.sampled_from(("create", "create", "create", "move", "move", "rename", "move and rename", "delete")),
        PLACES,
        PLACES,
        st.sampled_from(("a", "A", "b", "c")),
    ),
    min_size=6,
    max_size=30,
)


@given(steps=STEPS)
@settings(
    max_examples=24,
    deadline=None,
    database=None,
    derandomize=True,
    phases=(Phase.generate, Phase.shrink),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_tree_is_what_a_naive_model_says_after_any_sequence_of_changes(
    app: Flask, steps: list[tuple[str, int, int, str]]
) -> None:
    company = make_tenant(app, unique("tree"))
    company.admin.delete(f"{PATH}/{_ids(company.admin)[0]}")
    tree = NaiveTree()

    for what, at, where, name in steps:
        _step(tree, company.admin, what, (at, where, name))

    assert _rows(company) == tree.rows()
    assert _nested(company.admin.get(f"{PATH}/tree").get_json()["data"]) == tree.nested()
    for unit_id in tree.units:
        _check_views(company.admin, tree, unit_id)


def _step(tree: NaiveTree, admin: ApiClient, what: str, chosen: tuple[int, int, str]) -> None:
    """Do the same to both, and hold the service's answer against the model's."""
    at, where, name = chosen
    unit_id, parent_id = _pick(tree, at), _pick(tree, where)
    if what == "create":
        answer = admin.post(PATH, {"name": name, "parent_id": parent_id})
        assert answer.status_code == tree.create_status(name, parent_id)
        if answer.status_code == 201:
            tree.create(answer.get_json()["id"], name, parent_id)
    elif unit_id is None:
        return
    elif what == "delete":
        assert admin.delete(f"{PATH}/{unit_id}").status_code == tree.delete(unit_id)
    else:
        wished = {"name": name, "parent_id": parent_id}
        values = {field: value for field, value in wished.items() if field in CHANGES[what]}
        known = tree.units[unit_id]
        expected = tree.change(unit_id, **({"name": known.name, "parent_id": known.parent_id} | values))
        assert admin.patch(f"{PATH}/{unit_id}", values).status_code == expected


def _pick(tree: NaiveTree, number: int) -> str | None:
    """A unit of the tree, or none: the place of a root."""
    places = [*tree.units, None]
    return places[number % len(places)]


def _ids(admin: ApiClient, path: str = PATH) -> list[str]:
    return [row["id"] for row in admin.get(f"{path}?limit=1000").get_json()["data"]]


def _check_views(admin: ApiClient, tree: NaiveTree, unit_id: str) -> None:
    ancestors = admin.get(f"{PATH}/{unit_id}/ancestors").get_json()["data"]

    assert set(_ids(admin, f"{PATH}/{unit_id}/children")) == tree.children(unit_id)
    assert set(_ids(admin, f"{PATH}/{unit_id}/descendants")) == tree.descendants(unit_id)
    assert [row["id"] for row in ancestors] == tree.ancestors(unit_id)


def _nested(nodes: list[dict[str, Any]]) -> dict[str, Any]:
    return {node["id"]: _nested(node["children"]) for node in nodes}


def _rows(company: Tenant) -> dict[str, tuple[Any, ...]]:
    unit = OrganizationUnit
    statement = select(unit.id, unit.name, unit.parent_id, unit.path, unit.level, unit.row_version)
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        rows = db.session.execute(statement).all()
    return {str(row.id): (row.name, row.parent_id and str(row.parent_id), *row[3:]) for row in rows}
