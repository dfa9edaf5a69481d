"""Cursors: which list they serve, and which changes they survive."""

import base64
from uuid import UUID

from tests.core.crud.listed import ids
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json
from tests.support.marks import both_databases, one_database

pytestmark = one_database


def cursor_of(client: ApiClient, path: str) -> str:
    found: str = client.get(path).get_json()["pagination"]["next_cursor"]
    assert found
    return found


@both_databases
def test_a_page_by_cursor_counts_nothing_unless_asked(acme: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2")

    plain = acme.admin.get(f"/customers?limit=2&cursor={cursor}").get_json()
    counted = acme.admin.get(f"/customers?limit=2&cursor={cursor}&count=true").get_json()

    assert [row["id"] for row in plain["data"]] == [row["id"] for row in customers[2:4]]
    uncounted = {name: plain["pagination"][name] for name in ("page", "pages", "total", "has_prev")}
    assert uncounted == dict.fromkeys(uncounted)
    assert plain["pagination"]["has_next"] is True
    assert counted["data"] == plain["data"]
    assert counted["pagination"] == plain["pagination"] | {"total": 5}


def test_an_empty_cursor_begins_the_walk(acme: Tenant, customers: list[Json]) -> None:
    answer = acme.admin.get("/customers?cursor=&limit=2").get_json()

    assert [row["id"] for row in answer["data"]] == [row["id"] for row in customers[:2]]
    assert answer["pagination"]["page"] is None


@both_databases
def test_a_walk_may_change_its_step(acme: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2")

    assert ids(acme.admin.get(f"/customers?limit=3&cursor={cursor}")) == [row["id"] for row in customers[2:]]


@both_databases
def test_rows_made_during_a_walk_do_not_repeat_others(acme: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2&sort=name&order=desc")
    acme.admin.create("/customers", {"name": "Zz"})
    acme.admin.delete(f"/customers/{customers[4]['id']}")

    answer = acme.admin.get(f"/customers?limit=2&sort=name&order=desc&cursor={cursor}")

    assert ids(answer) == [customers[2]["id"], customers[1]["id"]]


def test_a_cursor_serves_only_the_list_that_it_came_from(acme: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2")

    for path in (
        "/customers?limit=2&sort=name",
        "/customers?limit=2&order=desc",
        "/customers?limit=2&search=c",
        "/customers?limit=2&name=c",
        "/customers?limit=2&id__in=",
        "/subcontractors?limit=2",
        "/users?limit=2",
    ):
        answer = acme.admin.get(f"{path}&cursor={cursor}")
        assert answer.status_code == 400, path
        assert list(answer.get_json()["errors"]) == ["cursor"], path


def test_a_cursor_does_not_serve_below_another_parent(acme: Tenant) -> None:
    one, two = (acme.admin.create("/organization_units", {"name": name})["id"] for name in ("One", "Two"))
    for n in range(2):
        acme.admin.create(f"/organization_units/{one}/positions", {"title": f"P{n}"})
    cursor = cursor_of(acme.admin, f"/organization_units/{one}/positions?limit=1")

    assert acme.admin.get(f"/organization_units/{one}/positions?limit=1&cursor={cursor}").status_code == 200
    assert acme.admin.get(f"/organization_units/{two}/positions?limit=1&cursor={cursor}").status_code == 400


def test_a_cursor_of_another_tenant_is_refused(acme: Tenant, globex: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2")

    assert globex.admin.get(f"/customers?limit=2&cursor={cursor}").status_code == 400


def test_a_cursor_changed_anywhere_is_refused(acme: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2")
    raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))

    for place in range(len(raw)):
        changed = raw[:place] + bytes([raw[place] ^ 1]) + raw[place + 1 :]
        forged = base64.urlsafe_b64encode(changed).rstrip(b"=").decode()
        assert acme.admin.get(f"/customers?limit=2&cursor={forged}").status_code == 400, place


def test_what_is_no_cursor_is_refused(acme: Tenant) -> None:
    for cursor in ("x", "AAAA", "%00", "%FF", "é", "A" * 9000, "=", "null", "W10"):
        assert acme.admin.get(f"/customers?cursor={cursor}").status_code == 400, cursor


def test_positions_of_the_walk_are_not_readable_ids_of_others(acme: Tenant, customers: list[Json]) -> None:
    """What a cursor carries is the caller's own last row and nothing else."""
    raw = base64.urlsafe_b64decode(cursor_of(acme.admin, "/customers?limit=2") + "==")

    found = {UUID(row["id"]) for row in customers if row["id"].encode() in raw}
    assert found == {UUID(customers[1]["id"])}
