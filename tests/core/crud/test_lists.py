"""Pages, cursors, filters, search and order: what every list of the service does alike."""

import base64
import itertools
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import Integer, String, update
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.users.models import User
from tests.support.clients import ApiClient, Tenant, unique
from tests.support.declared import Json, Maker, collections, find_route
from tests.support.marks import one_database
from tests.support.rows import by_row

TEXTS = (
    "zeta", "Ärger", "arger", "Zeta", "straße", "STRASSE", "strasz", "éa", "e\u0301b", "_x", "-y", "Ωmega",
    "ωmega", "10", "9", "a b", "ab", "a", "😀", "\uffee",
)  # fmt: skip


@pytest.fixture
def customers(acme: Tenant) -> list[Json]:
    """Five, in the order in which they were made."""
    return [acme.admin.create("/customers", {"name": f"Customer {n}", "email": f"c{n}@example.com"}) for n in range(5)]


def ids(answer: Any) -> list[str]:
    assert answer.status_code == 200, answer.text
    found = answer.get_json()
    return [row["id"] for row in (found if isinstance(found, list) else found["data"])]


# Pages


def test_a_page_says_where_it_is(acme: Tenant, customers: list[Json]) -> None:
    answer = acme.admin.get("/customers?page=2&limit=2").get_json()

    cursor = answer["pagination"].pop("next_cursor")
    assert [row["id"] for row in answer["data"]] == [row["id"] for row in customers[2:4]]
    assert answer["pagination"] == {
        "page": 2, "limit": 2, "total": 5, "pages": 3, "has_next": True, "has_prev": True,
    }  # fmt: skip
    assert isinstance(cursor, str)


COUNTS = (
    ("limit=2", (1, 2, 5, 3, True, False)),
    ("limit=2&page=3", (3, 2, 5, 3, False, True)),
    ("limit=2&page=4", (4, 2, 5, 3, False, True)),
    ("limit=5", (1, 5, 5, 1, False, False)),
    ("limit=5&page=2", (2, 5, 5, 1, False, True)),
    ("", (1, 50, 5, 1, False, False)),
    ("limit=1001", (1, 1000, 5, 1, False, False)),
    ("limit=2147483647&page=2147483647", (2147483647, 1000, 5, 1, False, True)),
    ("offset=0&limit=2", (1, 2, 5, 3, True, False)),
    ("offset=4&limit=2", (3, 2, 5, 3, False, True)),
    ("limit=2&count=false", (1, 2, None, None, True, False)),
    ("name=nobody", (1, 50, 0, 0, False, False)),
)


def test_every_page_counts_rightly(acme: Tenant, customers: list[Json]) -> None:
    for query, expected in COUNTS:
        found = acme.admin.get(f"/customers?{query}").get_json()["pagination"]
        shown = (found[each] for each in ("page", "limit", "total", "pages", "has_next", "has_prev"))
        assert tuple(shown) == expected, query
        assert (found["next_cursor"] is not None) == found["has_next"], query


def test_offset_skips_rows(acme: Tenant, customers: list[Json]) -> None:
    answer = acme.admin.get("/customers?offset=3&limit=50")

    assert ids(answer) == [row["id"] for row in customers[3:]]


def test_an_empty_list_has_no_page_to_go_to(acme: Tenant) -> None:
    answer = acme.admin.get("/customers").get_json()

    assert answer["data"] == []
    assert answer["pagination"] == {
        "page": 1, "limit": 50, "total": 0, "pages": 0, "has_next": False, "has_prev": False, "next_cursor": None,
    }  # fmt: skip


@one_database
@by_row("name", ["page", "limit"])
def test_a_page_number_that_is_none_is_refused(acme: Tenant, name: str) -> None:
    for value in ["0", "-1", "", "1.0", "1e3", "one", " 1", "+1", "١", "１", "99999999999999999999"]:
        answer = acme.admin.get("/customers", query_string={name: value})

        assert answer.status_code == 400, value
        assert answer.get_json()["errors"] == {name: ["Must be a whole number from 1 to 2147483647."]}


MISFITS = (
    ("offset=-1", "offset", "from 0"),
    ("sort=email", "sort", "created_at, updated_at, name"),
    ("sort=", "sort", "created_at"),
    ("sort=name,id", "sort", "created_at"),
    ("sort=company_id", "sort", "created_at"),
    ("order=up", "order", "asc, desc"),
    ("order=ASC", "order", "asc, desc"),
    ("count=yes", "count", "true, false"),
    ("page=1&cursor=", "cursor", "page"),
    ("page=1&offset=1", "offset", "page"),
    ("offset=1&cursor=", "cursor", "offset"),
    ("serach=x", "serach", "search"),
    ("company_id=x", "company_id", "Unknown"),
    ("expand=company", "expand", "addresses"),
    ("page=1&page=2", "page", "more than once"),
    ("name=a&name=a", "name", "more than once"),
    ("name=%00", "name", "control"),
    ("search=%7F", "search", "control"),
    ("search=" + "x" * 1001, "search", "1000"),
)


def test_a_parameter_that_does_not_fit_is_refused_and_the_message_helps(acme: Tenant) -> None:
    for query, field, named in MISFITS:
        answer = acme.admin.get(f"/customers?{query}")

        assert answer.status_code == 400, query
        assert answer.get_json()["error_code"] == "VALIDATION_ERROR"
        assert named in " ".join(answer.get_json()["errors"][field]), query


def test_the_cache_busters_of_browsers_are_ignored(acme: Tenant) -> None:
    for path in ("/customers", "/users/me", "/organization_units/tree", "/version", "/companies"):
        assert acme.admin.get(f"{path}?t=1&_=2&t=3").status_code == 200, path


def test_an_unknown_parameter_stops_every_method(acme: Tenant, customers: list[Json]) -> None:
    path = f"/customers/{customers[0]['id']}"

    answers = [
        acme.admin.get(f"{path}?fields=name"),
        acme.admin.post("/customers?dry_run=true", {"name": "New"}),
        acme.admin.put(f"{path}?dry_run=true", {"name": "New"}),
        acme.admin.patch(f"{path}?dry_run=true", {"name": "New"}),
        acme.admin.delete(f"{path}?dry_run=true"),
        acme.admin.delete(f"{path}?cascade=true"),
    ]

    assert [answer.status_code for answer in answers] == [400] * 6
    assert len(ids(acme.admin.get("/customers?name=New"))) == 0
    assert acme.admin.get(path).get_json() == customers[0]


# Filters and search


def test_ids_are_picked_in_the_order_of_the_list(acme: Tenant, globex: Tenant, customers: list[Json]) -> None:
    foreign = globex.admin.create("/customers", {"name": "Foreign"})["id"]
    wanted = f" {customers[3]['id'].upper()} ,{customers[1]['id']},{foreign},{uuid7()},{customers[1]['id']}"

    answer = acme.admin.get("/customers", query_string={"id__in": wanted})

    assert ids(answer) == [customers[1]["id"], customers[3]["id"]]
    assert answer.get_json()["pagination"]["total"] == 2


def test_no_ids_pick_no_rows(acme: Tenant, customers: list[Json]) -> None:
    for given in ("", " "):
        answer = acme.admin.get("/customers", query_string={"id__in": given}).get_json()

        assert (answer["data"], answer["pagination"]["total"]) == ([], 0)


def test_two_hundred_ids_are_enough(acme: Tenant, customers: list[Json]) -> None:
    many = ",".join([customers[0]["id"], *(str(uuid7()) for _ in range(199))])

    assert ids(acme.admin.get("/customers", query_string={"id__in": many})) == [customers[0]["id"]]
    assert acme.admin.get("/customers", query_string={"id__in": f"{many},{uuid7()}"}).status_code == 400


def test_a_malformed_id_in_a_filter_is_refused_as_one(acme: Tenant) -> None:
    for path in (
        "/customers?id__in=1,2",
        "/customers?id__in=,",
        "/users?position_id=1",
        "/users?position_id=%7B01a1f800-471b-7080-9fda-a10dea3418e3%7D",
        "/users?position_id=01a1f800471b70809fdaa10dea3418e3",
        "/organization_units?parent_id=none",
    ):
        answer = acme.admin.get(path)

        assert answer.status_code == 400, path
        assert answer.get_json()["error_code"] == "INVALID_ID", path


def test_booleans_are_true_and_false(acme: Tenant) -> None:
    for query in ("is_active=1", "is_active=True", "is_active=", "is_active=null", "is_verified=yes"):
        assert acme.admin.get(f"/users?{query}").status_code == 400, query


def test_a_number_that_is_none_is_refused(acme: Tenant) -> None:
    for value in ("x", "1.5", "", "--1", "99999999999", "2147483648", "1_0"):
        assert acme.admin.get("/positions", query_string={"level": value}).status_code == 400, value


def test_filters_match_exactly_and_together(acme: Tenant) -> None:
    one, two = (acme.user(first_name=name) for name in ("Ada", "Bob"))
    acme.admin.patch(f"/users/{two.user_id}", {"is_active": False})

    assert ids(acme.admin.get("/users", query_string={"email": f" {one.email.upper()} "})) == [one.user_id]
    assert ids(acme.admin.get("/users", query_string={"email": one.email[:-1]})) == []
    assert two.user_id not in ids(acme.admin.get("/users?is_active=true"))
    assert ids(acme.admin.get("/users?is_active=false")) == [two.user_id]
    assert ids(acme.admin.get("/users", query_string={"is_active": "false", "email": one.email})) == []


def test_null_finds_what_has_no_value(acme: Tenant) -> None:
    root = ids(acme.admin.get("/organization_units"))[0]
    child = acme.admin.create("/organization_units", {"name": "Child", "parent_id": root})["id"]
    level = acme.admin.create("/positions", {"title": "One", "organization_unit_id": root, "level": -7})["id"]

    assert ids(acme.admin.get("/organization_units?parent_id=null")) == [root]
    assert ids(acme.admin.get(f"/organization_units?parent_id={root}")) == [child]
    assert ids(acme.admin.get("/positions?level=-7")) == [level]
    assert level not in ids(acme.admin.get("/positions?level=null"))


def test_search_takes_every_sign_literally(acme: Tenant) -> None:
    signs = ("%", "_", "\\", "'", '"', ";--", "$1", "%(name)s", ":name", "?")
    made = {sign: acme.admin.create("/customers", {"name": f"50{sign}off"})["id"] for sign in signs}
    acme.admin.create("/customers", {"name": "50Xoff"})

    for sign, wanted in made.items():
        containing = {each for text, each in made.items() if sign in text}
        assert ids(acme.admin.get("/customers", query_string={"name": f"50{sign}off"})) == [wanted], sign
        assert set(ids(acme.admin.get("/customers", query_string={"search": sign}))) == containing, sign


def test_search_sees_no_difference_between_writings(acme: Tenant) -> None:
    wanted = acme.admin.create("/customers", {"name": "École Straße"})["id"]
    acme.admin.create("/customers", {"name": "Ecol"})

    for text in ("ÉCOLE", "e\u0301cole", " école ", "Cole", "STRASSE"):
        assert ids(acme.admin.get("/customers", query_string={"search": text})) == [wanted], text


def test_a_filter_takes_text_as_a_body_does(acme: Tenant) -> None:
    wanted = acme.admin.create("/customers", {"name": "École"})["id"]

    for text in ("École", "E\u0301cole", " École\n"):
        assert ids(acme.admin.get("/customers", query_string={"name": text})) == [wanted], text
    for text in ("école", "Écol", "École.", ""):
        assert ids(acme.admin.get("/customers", query_string={"name": text})) == [], text


def test_an_empty_search_finds_everything(acme: Tenant, customers: list[Json]) -> None:
    for text in ("", "  "):
        assert len(ids(acme.admin.get("/customers", query_string={"search": text}))) == 5


def test_a_list_below_a_parent_that_is_not_there_is_not_found(acme: Tenant) -> None:
    answer = acme.admin.get(f"/positions/{uuid7()}/users")

    assert answer.status_code == 404
    assert answer.get_json()["error_code"] == "POSITION_NOT_FOUND"


# Order


@pytest.fixture
def varied(acme: Tenant, app: Flask) -> Maker:
    """Acme with rows of every kind whose texts, numbers and times are hard to sort."""
    maker = Maker(app, acme)
    for endpoint in collections(app):
        is_listed = "list" in endpoint.verbs and endpoint.model.__tablename__ != "user_role"
        if is_listed and find_route(app, endpoint.path, "POST"):
            for n, text in enumerate(TEXTS):
                answer = acme.admin.post(endpoint.path, _varied_body(maker, endpoint, text, n))
                if answer.status_code == 409:
                    acme.admin.create(endpoint.path, _varied_body(maker, endpoint, f"{text} {n}", n))
    _spread_logins(app, acme)
    return maker


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


def test_every_order_of_every_list_is_that_of_a_naive_sort(varied: Maker, acme: Tenant) -> None:
    wrong = []

    for endpoint in collections(varied.app):
        if "list" not in endpoint.verbs:
            continue
        rows = _rows(acme.admin, endpoint.path, {"limit": "1000"})
        for field, order in orders(endpoint):
            found = ids(acme.admin.get(endpoint.path, query_string={"limit": 1000, "sort": field, "order": order}))
            if found != naive(rows, field, descending=order == "desc"):
                wrong.append(f"{endpoint.path} by {field} {order}")

    assert wrong == []


def test_a_walk_by_cursor_meets_every_row_once_in_order(varied: Maker, acme: Tenant) -> None:
    wrong = []

    for endpoint in collections(varied.app):
        if "list" not in endpoint.verbs or endpoint.unpaginated:
            continue
        for field, order in orders(endpoint):
            query = {"sort": field, "order": order}
            rows = _rows(acme.admin, endpoint.path, query | {"limit": "1000"})
            if list(walk(acme.admin, endpoint.path, query | {"limit": "7"})) != [row["id"] for row in rows]:
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


# Cursors


def cursor_of(client: ApiClient, path: str) -> str:
    found: str = client.get(path).get_json()["pagination"]["next_cursor"]
    assert found
    return found


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


def test_a_walk_may_change_its_step(acme: Tenant, customers: list[Json]) -> None:
    cursor = cursor_of(acme.admin, "/customers?limit=2")

    assert ids(acme.admin.get(f"/customers?limit=3&cursor={cursor}")) == [row["id"] for row in customers[2:]]


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
