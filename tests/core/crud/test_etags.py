"""Versions of items: conditional reads, conditional writes, and writers at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Barrier
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.support.clients import Tenant
from tests.support.databases import Postgres, worker
from tests.support.declared import Json, Maker, collections, find_route
from tests.support.engine_events import listening
from tests.support.marks import both_databases, one_database

pytestmark = one_database

WRITERS = 6


@pytest.fixture
def wile(acme: Tenant) -> Json:
    return acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})


@pytest.fixture
def path(wile: Json) -> str:
    return f"/customers/{wile['id']}"


@both_databases
def test_every_versioned_item_carries_its_version_and_every_update_raises_it(app: Flask, acme: Tenant) -> None:
    maker = Maker(app, acme)

    for endpoint in collections(app):
        written = find_route(app, endpoint.path, "POST"), find_route(app, f"{endpoint.path}/<id>", "PATCH")
        if not endpoint.versioned or None in written:
            continue
        made = acme.admin.post(endpoint.path, maker.body(_post(maker, endpoint.path)))
        item = f"{endpoint.path}/{made.get_json()['id']}"
        field = next(name for name in ("first_name", "description", "address", "name") if name in made.get_json())
        put = {**maker.body(_put(maker, endpoint.path)), field: "Second"}  # type: ignore[dict-item]
        tags = [
            made.headers["ETag"],
            acme.admin.get(item).headers["ETag"],
            acme.admin.patch(item, {field: "First"}).headers["ETag"],
            acme.admin.put(item, put).headers["ETag"],
            acme.admin.get(item).headers["ETag"],
        ]
        assert tags == ['"1"', '"1"', '"2"', '"3"', '"3"'], endpoint.path
        assert acme.admin.delete(item, headers={"If-Match": '"3"'}).status_code == 204, endpoint.path


def _post(maker: Maker, path: str) -> Any:
    return find_route(maker.app, path, "POST")


def _put(maker: Maker, path: str) -> Any:
    return find_route(maker.app, f"{path}/<id>", "PUT")


# Reading


def test_an_item_that_the_caller_has_is_not_sent_again(acme: Tenant, path: str) -> None:
    for known in ('"1"', 'W/"1"', '"0", "1"', 'W/"7" , W/"1"', "*"):
        answer = acme.admin.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", '"1"'), known
        head = acme.admin.request("HEAD", path, headers={"If-None-Match": known})
        assert head.status_code == 304, known


def test_an_item_that_the_caller_has_in_another_version_is_sent(acme: Tenant, path: str, wile: Json) -> None:
    for known in ('"2"', '"11"', '"1', "", ",,", '"', "W/", '"*"', "\xff"):
        answer = acme.admin.get(path, headers={"If-None-Match": known})
        assert (answer.status_code, answer.get_json()) == (200, wile), known


def test_an_item_changed_meanwhile_is_sent(acme: Tenant, path: str) -> None:
    acme.admin.patch(path, {"name": "Changed"})

    answer = acme.admin.get(path, headers={"If-None-Match": '"1"'})

    assert (answer.status_code, answer.get_json()["name"]) == (200, "Changed")


def test_what_changes_without_the_version_is_always_sent(acme: Tenant) -> None:
    unit = acme.admin.create("/organization_units", {"name": "Unit"})["id"]

    expanded = acme.admin.get(f"/organization_units/{unit}?expand=positions", headers={"If-None-Match": "*"})
    company = acme.admin.get(f"/companies/{acme.company_id}", headers={"If-None-Match": "*"})

    assert (expanded.status_code, company.status_code) == (200, 200)


def test_lists_have_no_version(acme: Tenant, path: str) -> None:
    answer = acme.admin.get("/customers", headers={"If-None-Match": "*", "If-Match": '"7"'})

    assert answer.status_code == 200
    assert "ETag" not in answer.headers


# Writing


def writes(tenant: Tenant, path: str, headers: dict[str, str]) -> list[TestResponse]:
    return [
        tenant.admin.put(path, {"name": "Changed"}, headers=headers),
        tenant.admin.patch(path, {"name": "Changed"}, headers=headers),
        tenant.admin.delete(path, headers=headers),
    ]


@both_databases
def test_a_write_of_another_version_is_refused_and_changes_nothing(acme: Tenant, path: str, wile: Json) -> None:
    for stale in ('"0"', '"2"', 'W/"2"', '"11", "12"', "", ",,", '"1', '"', "\xff", "W/"):
        answers = writes(acme, path, {"If-Match": stale})
        assert [answer.status_code for answer in answers] == [412] * 3, stale
        assert {answer.get_json()["error_code"] for answer in answers} == {"PRECONDITION_FAILED"}

    after = acme.admin.get(path)
    assert (after.get_json(), after.headers["ETag"]) == (wile, '"1"')


def test_a_write_of_this_version_is_done(acme: Tenant, path: str) -> None:
    for n, current in enumerate(('"{}"', 'W/"{}"', '"0", "{}"', "*"), 1):
        headers = {"If-Match": current.format(n)}
        assert acme.admin.patch(path, {"name": f"Name {n}"}, headers=headers).status_code == 200, current

    assert acme.admin.delete(path, headers={"If-Match": 'W/"5"'}).status_code == 204


def test_things_without_a_version_ignore_one_that_is_given(acme: Tenant) -> None:
    user = acme.user("viewer")
    assignment = acme.admin.get(f"/guardian/user-roles?user_id={user.user_id}").get_json()[0]["id"]
    session = user.get("/auth/sessions").get_json()["data"][0]["id"]

    unassigned = acme.admin.delete(f"/guardian/user-roles/{assignment}", headers={"If-Match": '"9"'})
    revoked = user.delete(f"/auth/sessions/{session}", headers={"If-Match": '"9"'})

    assert (unassigned.status_code, revoked.status_code) == (204, 204)


def test_the_own_profile_has_the_version_of_the_user(acme: Tenant) -> None:
    user = acme.user("viewer")
    tag = user.get("/users/me").headers["ETag"]

    changed = user.patch("/users/me", {"first_name": "Ada"}, headers={"If-Match": tag})
    again = user.patch("/users/me", {"first_name": "Bob"}, headers={"If-Match": tag})

    known = user.get("/users/me", headers={"If-None-Match": changed.headers["ETag"]})
    assert (changed.status_code, again.status_code) == (200, 412)
    assert (known.status_code, known.data) == (304, b"")
    assert user.get("/users/me", headers={"If-None-Match": tag}).status_code == 200
    assert changed.headers["ETag"] == acme.admin.get(f"/users/{user.user_id}").headers["ETag"]


# At the same time


@contextmanager
def changed_before_the_write(app: Flask, database: str, postgres: Postgres, customer_id: str) -> Iterator[None]:
    """Somebody else's change lands between the read of the request inside and its first write, or the lock
    that it takes to write: after that nobody can."""
    landed: list[str] = []
    raised = "UPDATE customer SET row_version = row_version + 1 WHERE id = "

    def change(connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        takes_the_row = statement.startswith(("UPDATE customer", "DELETE FROM customer")) or "FOR UPDATE" in statement
        if landed or not takes_the_row:
            return
        landed.append(statement)
        if database == "sqlite":
            connection.connection.execute(f"{raised}'{customer_id.replace('-', '')}'")
            return
        with postgres.superuser(f"identity_{worker()}") as other:
            other.execute(f"{raised}%s", (customer_id,))  # type: ignore[call-overload]

    with listening(app, before_cursor_execute=change):
        yield


@both_databases
@pytest.mark.parametrize(("headers", "status"), [({}, 409), ({"If-Match": '"1"'}, 412)])
@pytest.mark.parametrize("method", ["PUT", "PATCH", "DELETE"])
def test_a_later_writer_never_silently_wins(
    app: Flask, acme: Tenant, wile: Json, path: str, database: str, postgres: Postgres,
    method: str, headers: dict[str, str], status: int,
) -> None:  # fmt: skip
    body = None if method == "DELETE" else {"name": "Mine"}

    with changed_before_the_write(app, database, postgres, wile["id"]):
        answer = acme.admin.request(method, path, body, headers=headers)

    assert answer.status_code == status
    assert answer.get_json()["error_code"] == ("PRECONDITION_FAILED" if headers else "CONFLICT")
    assert acme.admin.get(path).get_json() == wile


@both_databases
def test_of_many_writers_of_one_version_one_wins(app: Flask, acme: Tenant, path: str) -> None:
    start = Barrier(WRITERS, timeout=30)

    def write(n: int) -> int:
        start.wait()
        return acme.admin.patch(path, {"name": f"Writer {n}"}, headers={"If-Match": '"1"'}).status_code

    with ThreadPoolExecutor(WRITERS) as pool:
        statuses = sorted(pool.map(write, range(WRITERS)))

    after = acme.admin.get(path)
    assert statuses == [200] + [412] * (WRITERS - 1)
    assert (after.headers["ETag"], after.get_json()["name"][:7]) == ('"2"', "Writer ")


@both_databases
def test_of_many_deletions_one_succeeds(acme: Tenant, path: str) -> None:
    start = Barrier(WRITERS, timeout=30)

    def delete(_n: int) -> int:
        start.wait()
        return acme.admin.delete(path).status_code

    with ThreadPoolExecutor(WRITERS) as pool:
        statuses = sorted(pool.map(delete, range(WRITERS)))

    assert statuses[0] == 204
    assert set(statuses[1:]) <= {404, 409}
    assert acme.admin.get(path).status_code == 404
