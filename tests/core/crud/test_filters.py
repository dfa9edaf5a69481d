"""Filters of lists, and the search."""

from uuid_utils.compat import uuid7

from tests.core.crud.listed import ids
from tests.support.clients import Tenant
from tests.support.declared import Json


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
