"""``expand=``: related rows as small objects, at a fixed cost, and only for those who may list them."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from uuid_utils.compat import uuid7

from app.core.db.models import add_in_order
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.guardian.models import Policy, PolicyPermission, Role, RolePolicy, UserRole, permission_id
from app.positions.models import Position
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json, Maker, collections, routes_of
from tests.support.marks import one_database


@pytest.fixture
def unit(acme: Tenant) -> Json:
    return acme.admin.create("/organization_units", {"name": "Unit"})


@pytest.fixture
def position(acme: Tenant, unit: Json) -> Json:
    return acme.admin.create("/positions", {"title": "Engineer", "organization_unit_id": unit["id"]})


def granted(app: Flask, acme: Tenant, *permissions: tuple[str, str]) -> ApiClient:
    """Somebody whose only role holds these permissions."""
    user = acme.user()
    with app.app_context(), tenant(acme.company_id), unit_of_work():
        role, policy = Role(id=uuid7(), name="Narrow"), Policy(id=uuid7(), name="Narrow")
        held = [
            PolicyPermission(policy_id=policy.id, permission_id=permission_id("identity", *each))
            for each in permissions
        ]
        links = [
            RolePolicy(role_id=role.id, policy_id=policy.id),
            UserRole(user_id=UUID(user.user_id), role_id=role.id),
        ]
        add_in_order([role, policy], [*held, *links])
    return user


def test_a_related_row_is_embedded_or_null(acme: Tenant, position: Json) -> None:
    holder, other = acme.user(position_id=UUID(position["id"])), acme.user()

    shown = acme.admin.get(f"/users/{holder.user_id}?expand=position,company").get_json()
    without = acme.admin.get(f"/users/{other.user_id}?expand=position").get_json()
    plain = acme.admin.get(f"/users/{holder.user_id}").get_json()

    place = ("id", "title", "description", "level", "organization_unit_id")
    assert shown["position"] == {name: position[name] for name in place}
    assert shown["company"] == {"id": str(acme.company_id), "name": "acme", "status": "active"}
    assert without["position"] is None
    assert "position" not in plain
    assert shown["position_id"] == plain["position_id"] == position["id"]


def test_rows_that_refer_back_are_embedded_as_an_array(acme: Tenant, unit: Json, position: Json) -> None:
    children = [acme.admin.create("/organization_units", {"name": n, "parent_id": unit["id"]}) for n in ("B", "A")]

    shown = acme.admin.get(f"/organization_units/{unit['id']}?expand=children,positions,parent").get_json()
    leaf = acme.admin.get(f"/organization_units/{children[0]['id']}?expand=children,parent").get_json()

    assert [child["id"] for child in shown["children"]] == [child["id"] for child in children]
    assert shown["positions"] == [{name: position[name] for name in ("id", "title", "description", "level")}]
    assert shown["parent"] is None
    assert leaf["children"] == []
    assert leaf["parent"] == {name: unit[name] for name in ("id", "name", "description", "parent_id", "path", "level")}


def test_no_embedded_row_shows_more_than_its_small_object(acme: Tenant, app: Flask, position: Json) -> None:
    acme.user(position_id=UUID(position["id"]))

    shown = acme.admin.get(f"/positions/{position['id']}?expand=users").get_json()["users"][0]

    assert set(shown) == {"id", "email", "first_name", "last_name", "is_active"}


def test_at_most_a_hundred_rows_are_embedded_the_oldest_first(acme: Tenant, app: Flask) -> None:
    other = acme.admin.create("/organization_units", {"name": "Other"})["id"]
    unit = acme.admin.create("/organization_units", {"name": "Big"})["id"]
    acme.admin.create("/positions", {"title": "Lone", "organization_unit_id": other})
    with app.app_context(), tenant(acme.company_id), unit_of_work() as session:
        rows = [Position(id=uuid7(), title="P", organization_unit_id=UUID(unit)) for _ in range(102)]
        session.add_all(rows)
    made = [str(row.id) for row in rows]

    listed = acme.admin.get("/organization_units?expand=positions&sort=created_at").get_json()["data"]

    embedded = {row["id"]: [each["id"] for each in row["positions"]] for row in listed}
    assert embedded[unit] == made[:100]
    assert len(embedded[other]) == 1


def test_every_expansion_of_every_list_costs_the_same_whatever_the_page(
    app: Flask, acme: Tenant, statements: Any
) -> None:
    maker, wrong = Maker(app, acme), []

    for endpoint in collections(app):
        route = next((each for each in routes_of(app) if (each.endpoint, each.method) == (endpoint, "POST")), None)
        if endpoint.expand and route and route.permission and not route.permission.platform:
            for _ in range(6):
                maker.create(endpoint.path)
        for name in endpoint.expand:
            plain, small, large = (
                _cost(acme.admin, statements, f"{endpoint.path}?{query}")
                for query in ("limit=2", f"limit=2&expand={name}", f"limit=5&expand={name}")
            )
            # Besides the embedded rows there may be the engine's decision about their kind.
            if small != large or small > plain + 2:
                wrong.append(f"{endpoint.path} {name}: {plain}, {small}, {large}")

    assert wrong == []


def _cost(client: ApiClient, statements: Any, path: str) -> int:
    with statements() as sent:
        assert client.get(path).status_code == 200
    return len(sent)


@one_database
def test_what_is_embedded_must_be_allowed_to_be_listed(app: Flask, acme: Tenant, position: Json) -> None:
    holder = acme.user(position_id=UUID(position["id"]))
    narrow = granted(app, acme, ("user", "READ"), ("user", "LIST"))
    path = f"/users/{holder.user_id}"

    assert narrow.get(path).status_code == 200
    for where in (path, "/users"):
        for name in ("position", "company", "position,company"):
            answer = narrow.get(f"{where}?expand={name}")
            assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ACCESS_DENIED"), where


@one_database
def test_who_may_list_what_is_embedded_gets_it(app: Flask, acme: Tenant, position: Json) -> None:
    holder = acme.user(position_id=UUID(position["id"]))
    wider = granted(app, acme, ("user", "READ"), ("position", "LIST"))

    shown = wider.get(f"/users/{holder.user_id}?expand=position")

    assert shown.status_code == 200
    assert shown.get_json()["position"]["id"] == position["id"]
    assert wider.get(f"/positions/{position['id']}").status_code == 403


@one_database
def test_an_expansion_that_is_not_declared_is_refused_and_the_declared_are_named(acme: Tenant) -> None:
    for path in ("/users?expand=password_hash", f"/users/{acme.admin.user_id}?expand=position,roles"):
        answer = acme.admin.get(path)
        assert answer.status_code == 400
        assert answer.get_json()["errors"] == {"expand": ["Must be one of: position, company."]}


@one_database
def test_expansions_may_be_empty_repeated_and_spaced(acme: Tenant) -> None:
    for text in ("", ",", " position , position,", "company,position"):
        assert acme.admin.get("/users", query_string={"expand": text}).status_code == 200, text


@one_database
def test_writes_take_no_expansion(acme: Tenant, unit: Json) -> None:
    path = f"/organization_units/{unit['id']}"

    assert acme.admin.patch(f"{path}?expand=parent", {"name": "x"}).status_code == 400
    assert acme.admin.delete(f"{path}?expand=parent").status_code == 400
    assert acme.admin.get(path).get_json() == unit
