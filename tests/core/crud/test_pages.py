"""Pages of lists, and the parameters that they take."""

from tests.core.crud.listed import ids
from tests.support.clients import Tenant
from tests.support.declared import Json
from tests.support.marks import one_database
from tests.support.rows import by_row


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


@one_database
def test_a_parameter_that_does_not_fit_is_refused_and_the_message_helps(acme: Tenant) -> None:
    for query, field, named in MISFITS:
        answer = acme.admin.get(f"/customers?{query}")

        assert answer.status_code == 400, query
        assert answer.get_json()["error_code"] == "VALIDATION_ERROR"
        assert named in " ".join(answer.get_json()["errors"][field]), query


@one_database
def test_the_cache_busters_of_browsers_are_ignored(acme: Tenant) -> None:
    for path in ("/customers", "/users/me", "/organization_units/tree", "/version", "/companies"):
        assert acme.admin.get(f"{path}?t=1&_=2&t=3").status_code == 200, path


@one_database
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
