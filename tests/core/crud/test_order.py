"""Every order of every list."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Integer, String, update

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.users.models import User
from tests.core.crud.listed import ids
from tests.support.clients import ApiClient, Tenant, unique, with_new_token
from tests.support.declared import Json, Maker, collections, find_route
from tests.support.stages import Stage

TEXTS = (
    "zeta", "Ärger", "arger", "Zeta", "straße", "STRASSE", "strasz", "éa", "e\u0301b", "_x", "-y", "Ωmega",
    "ωmega", "10", "9", "a b", "ab", "a", "😀", "\uffee",
)  # fmt: skip


@pytest.fixture(scope="module")
def varied(stage: Stage) -> Tenant:
    """Acme with rows of every kind whose texts, numbers and times are hard to sort. The tests that use it read only."""
    stage.restore()
    app, acme = stage.app, with_new_token(stage.acme)
    maker = Maker(app, acme)
    for endpoint in collections(app):
        is_listed = "list" in endpoint.verbs and endpoint.model.__tablename__ != "user_role"
        if is_listed and find_route(app, endpoint.path, "POST"):
            for n, text in enumerate(TEXTS):
                answer = acme.admin.post(endpoint.path, _varied_body(maker, endpoint, text, n))
                if answer.status_code == 409:
                    acme.admin.create(endpoint.path, _varied_body(maker, endpoint, f"{text} {n}", n))
    _spread_logins(app, acme)
    return acme


def _varied_body(maker: Maker, endpoint: type[Crud], text: str, n: int) -> Json:
    route = find_route(maker.app, endpoint.path, "POST")
    assert route is not None
    body = maker.body(route) or {}
    for name in endpoint.sort:
        column = getattr(endpoint.model, name).type
        if name not in endpoint.wire.load_fields:
            continue
        if isinstance(column, Integer):
            body[name] = (3, None, -1, 1, 1)[n % 5]
        elif name == "email":
            body[name] = f"{'xXyY_'[n % 5]}{unique('')}@example.com"
        elif isinstance(column, String):
            body[name] = text if name == "name" else (text, None)[n % 4 == 0]
    return {name: value for name, value in body.items() if value is not None}


def _spread_logins(app: Flask, acme: Tenant) -> None:
    """Half of the users have signed in, two at a time."""
    with app.app_context(), tenant(acme.company_id), unit_of_work() as session:
        found = session.query(User.id).order_by(User.id).all()
        moments = [utcnow(), utcnow()]
        for n, (user_id,) in enumerate(found):
            if n % 2:
                session.execute(update(User).where(User.id == user_id).values(last_login_at=moments[n % 4 == 1]))


def naive(rows: list[Json], field: str, *, descending: bool) -> list[str]:
    """As 01 says: case-folded, by code point, ties by id, nulls last in both orders."""

    def key(row: Json) -> tuple[Any, str]:
        value = row[field]
        return value.casefold() if isinstance(value, str) else value, row["id"]

    present = sorted((row for row in rows if row[field] is not None), key=key, reverse=descending)
    absent = sorted((row for row in rows if row[field] is None), key=lambda row: str(row["id"]), reverse=descending)
    return [row["id"] for row in (*present, *absent)]


def orders(endpoint: type[Crud]) -> Iterator[tuple[str, str]]:
    return itertools.product(endpoint.sort, ("asc", "desc"))


def test_every_order_of_every_list_is_that_of_a_naive_sort(varied: Tenant) -> None:
    wrong = []

    for endpoint in collections(varied.app):
        if "list" not in endpoint.verbs:
            continue
        rows = _rows(varied.admin, endpoint.path, {"limit": "1000"})
        for field, order in orders(endpoint):
            found = ids(varied.admin.get(endpoint.path, query_string={"limit": 1000, "sort": field, "order": order}))
            if found != naive(rows, field, descending=order == "desc"):
                wrong.append(f"{endpoint.path} by {field} {order}")

    assert wrong == []


def test_a_walk_by_cursor_meets_every_row_once_in_order(varied: Tenant) -> None:
    wrong = []

    for endpoint in collections(varied.app):
        if "list" not in endpoint.verbs or endpoint.unpaginated:
            continue
        for field, order in orders(endpoint):
            query = {"sort": field, "order": order}
            rows = _rows(varied.admin, endpoint.path, query | {"limit": "1000"})
            if list(walk(varied.admin, endpoint.path, query | {"limit": "7"})) != [row["id"] for row in rows]:
                wrong.append(f"{endpoint.path} by {field} {order}")

    assert wrong == []


def test_pages_meet_every_row_of_the_same_name_once(acme: Tenant) -> None:
    made = {acme.admin.create("/customers", {"name": "Wile"})["id"] for _ in range(9)}

    pages = [ids(acme.admin.get(f"/customers?limit=4&page={n}&sort=name")) for n in (1, 2, 3)]

    assert [len(page) for page in pages] == [4, 4, 1]
    assert set(itertools.chain(*pages)) == made


def _rows(client: ApiClient, path: str, query: dict[str, str]) -> list[Json]:
    found = client.get(path, query_string=query).get_json()
    rows: list[Json] = found if isinstance(found, list) else found["data"]
    return rows


def walk(client: ApiClient, path: str, query: dict[str, str]) -> Iterator[str]:
    answer = client.get(path, query_string=query).get_json()
    while True:
        yield from (row["id"] for row in answer["data"])
        cursor = answer["pagination"]["next_cursor"]
        assert (cursor is not None) == answer["pagination"]["has_next"]
        if cursor is None:
            return
        answer = client.get(path, query_string=query | {"cursor": cursor}).get_json()
