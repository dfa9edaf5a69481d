"""What /positions adds to the kernel: a place in a unit, and who holds it."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from tests.support.clients import PASSWORD, Tenant, unique
from tests.support.marks import one_database
from tests.support.roles import user_with

Json = dict[str, Any]


def unit(company: Tenant, name: str = "Sales") -> Json:
    return company.admin.create("/organization_units", {"name": name})


def position(company: Tenant, place: Json, title: str = "Lead", **values: Any) -> Json:
    return company.admin.create("/positions", {"title": title, "organization_unit_id": place["id"]} | values)


def holder(company: Tenant, held: Json) -> Json:
    values = {"email": f"{unique('holder')}@example.com", "password": PASSWORD, "position_id": held["id"]}
    return company.admin.create("/users", values)


@pytest.mark.parametrize("where", ["another company", "nowhere"])
def test_unit_must_be_one_of_the_same_company(acme: Tenant, globex: Tenant, where: str) -> None:
    own = position(acme, unit(acme))
    foreign = unit(globex)["id"] if where == "another company" else str(uuid7())

    created = acme.admin.post("/positions", {"title": "Lead", "organization_unit_id": foreign})
    changed = acme.admin.patch(f"/positions/{own['id']}", {"organization_unit_id": foreign})

    assert created.status_code == changed.status_code == 400
    assert created.get_json()["errors"] == {"organization_unit_id": ["Not found."]}
    assert changed.get_json()["errors"] == {"organization_unit_id": ["Not found."]}
    assert acme.admin.get(f"/positions/{own['id']}").get_json() == own


@one_database
@pytest.mark.parametrize(
    "values",
    [
        {"title": " "},
        {"title": "x" * 101},
        {"level": 2**31},
        {"level": 1.5},
        {"level": "1"},
        {"organization_unit_id": None},
        {"description": "x" * 256},
    ],
)
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    place = unit(acme)
    own = position(acme, place)

    created = acme.admin.post("/positions", {"title": "Clerk", "organization_unit_id": place["id"]} | values)
    changed = acme.admin.patch(f"/positions/{own['id']}", values)

    assert created.status_code == changed.status_code == 400
    assert list(created.get_json()["errors"]) == list(changed.get_json()["errors"]) == list(values)


def test_position_moves_to_another_unit(acme: Tenant) -> None:
    held = position(acme, unit(acme))
    other = unit(acme, "Support")

    answer = acme.admin.patch(f"/positions/{held['id']}", {"organization_unit_id": other["id"], "level": 3})

    found = acme.admin.get(f"/organization_units/{other['id']}/positions").get_json()["data"]
    assert answer.get_json()["level"] == 3
    assert [row["id"] for row in found] == [held["id"]]


# Of one unit


def test_unit_of_a_new_position_comes_from_the_path(acme: Tenant) -> None:
    place = unit(acme)

    answer = acme.admin.post(f"/organization_units/{place['id']}/positions", {"title": "Lead"})

    made = answer.get_json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"/positions/{made['id']}"
    assert made["organization_unit_id"] == place["id"]
    assert acme.admin.get(answer.headers["Location"]).get_json() == made


def test_unit_in_the_body_cannot_contradict_the_path(acme: Tenant) -> None:
    place, other = unit(acme), unit(acme, "Support")
    values = {"title": "Lead", "organization_unit_id": other["id"]}

    acme.admin.post(f"/organization_units/{place['id']}/positions", values)

    assert acme.admin.get(f"/organization_units/{other['id']}/positions").get_json()["data"] == []


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_positions_of_a_foreign_or_unknown_unit_are_not_found(acme: Tenant, globex: Tenant, method: str) -> None:
    json = {"title": "Lead"} if method == "POST" else None

    for place in (unit(globex)["id"], uuid7()):
        answer = acme.admin.request(method, f"/organization_units/{place}/positions", json)
        assert (answer.status_code, answer.get_json()["error_code"]) == (404, "ORGANIZATION_UNIT_NOT_FOUND")


@one_database
def test_positions_of_a_unit_need_the_permission_for_positions(acme: Tenant) -> None:
    place = unit(acme)
    path = f"/organization_units/{place['id']}/positions"
    reader, stranger = user_with(acme, "identity:position:LIST"), user_with(acme, "identity:organization_unit:LIST")

    assert reader.get(path).status_code == 200
    assert reader.post(path, {"title": "Lead"}).status_code == 403
    assert stranger.get(path).status_code == 403


# Holders


def test_users_of_a_position_are_its_holders(acme: Tenant, globex: Tenant) -> None:
    held = position(acme, unit(acme))
    other = position(acme, unit(acme, "Support"))
    users = [holder(acme, held) for _ in range(2)]
    holder(acme, other)

    found = acme.admin.get(f"/positions/{held['id']}/users").get_json()

    assert [row["id"] for row in found["data"]] == [user["id"] for user in users]
    assert found["pagination"]["total"] == 2
    assert globex.admin.get(f"/positions/{held['id']}/users").status_code == 404


def test_holders_of_a_deleted_position_stay_without_one_in_a_new_version(acme: Tenant) -> None:
    held = position(acme, unit(acme))
    user, other = holder(acme, held), holder(acme, position(acme, unit(acme, "Support")))
    paths = [f"/users/{each['id']}" for each in (user, other)]
    before = [acme.admin.get(path).headers["ETag"] for path in paths]

    answer = acme.admin.delete(f"/positions/{held['id']}")

    after = [acme.admin.get(path) for path in paths]
    assert answer.status_code == 204
    assert after[0].get_json()["position_id"] is None
    assert after[0].headers["ETag"] != before[0]
    assert after[0].get_json()["updated_at"] > user["updated_at"]
    assert after[1].get_json()["position_id"] == other["position_id"]
    assert after[1].headers["ETag"] == before[1]


def test_deleting_a_position_costs_the_same_whatever_its_holders(acme: Tenant, statements: Any) -> None:
    place = unit(acme)
    vacant, held = position(acme, place), position(acme, place)
    for _ in range(5):
        holder(acme, held)

    with statements() as few:
        acme.admin.delete(f"/positions/{vacant['id']}")
    with statements() as many:
        acme.admin.delete(f"/positions/{held['id']}")

    assert len(many) == len(few)


# Looking


def test_filters_find_by_title_unit_and_level(acme: Tenant) -> None:
    place, other = unit(acme), unit(acme, "Support")
    lead = position(acme, place, level=1)
    clerk = position(acme, other, "Clerk", level=-2, description="Files")

    def found(query: str) -> list[str]:
        return [row["id"] for row in acme.admin.get(f"/positions?{query}").get_json()["data"]]

    assert found("title=Lead") == found(f"organization_unit_id={place['id']}") == found("level=1") == [lead["id"]]
    assert found("level=-2") == found("search=FILES") == [clerk["id"]]


def test_expand_embeds_the_unit_and_the_holders(acme: Tenant) -> None:
    place = unit(acme)
    held = position(acme, place)
    user = holder(acme, held)

    [row] = acme.admin.get("/positions?title=Lead&expand=organization_unit,users").get_json()["data"]
    one = acme.admin.get(f"/positions/{held['id']}?expand=organization_unit,users").get_json()

    assert one == row
    assert one["organization_unit"] == {
        name: place[name] for name in ("id", "name", "description", "parent_id", "path", "level")
    }
    assert one["users"] == [{name: user[name] for name in ("id", "email", "first_name", "last_name", "is_active")}]


@one_database
def test_expand_needs_the_permission_for_users(acme: Tenant) -> None:
    clerk = user_with(acme, "identity:position:LIST", "identity:organization_unit:LIST")

    assert clerk.get("/positions?expand=organization_unit").status_code == 200
    assert clerk.get("/positions?expand=users").status_code == 403
