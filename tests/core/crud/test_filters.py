"""Filters of lists, and the search."""

import pytest
from flask import Flask
from uuid_utils.compat import uuid7

from app.core.crud.crud import Crud
from tests.core.crud.listed import ids
from tests.support.clients import Tenant
from tests.support.declared import Json
from tests.support.marks import one_database
from tests.support.rows import by_row


@pytest.fixture
def wile(acme: Tenant) -> Json:
    return acme.admin.create("/customers", {"name": "Wile"})


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


ADDRESSES = "/customers/{}/addresses"


@by_row(
    "path, name, message",
    [
        ("/customers", "kind=bussines", "Must be one of: individual, business. Did you mean business?"),
        ("/customers", "kind=", "Must be one of: individual, business."),
        ("/customers", "kind=null", "Must be one of: individual, business."),
        ("/companies", "status=Activ", "Must be one of: active, inactive, suspended, deleting. Did you mean active?"),
        ("/customers", "subscription_state=canceled", "Did you mean cancelled?"),
        ("/customers", "sort=naem", "Must be one of: created_at, updated_at, name. Did you mean name?"),
        ("/customers", "expand=adresses", "Did you mean addresses?"),
        ("/customers", "order=ascending", "Must be one of: asc, desc."),
        ("/customers", "naem=x", "Did you mean name?"),
        ("/customers", "email=nobody", "Not a valid email address."),
        ("/customers", "name=", "Must not be blank."),
        ("/customers", "city=%20", "Must not be blank."),
        ("/customers", f"name={'x' * 101}", "Longer than maximum length 100."),
        ("/customers", f"subscription_state={'x' * 5000}", "Must be one of: "),
        ("/users", f"username={'x' * 101}", "Longer than maximum length 100."),
        ("/companies", f"document_type={'x' * 1001}", "Longer than maximum length 50."),
        ("/positions", "level=4294967296", "Must be a whole number."),
    ],
)
@one_database
def test_a_value_that_no_row_can_have_is_refused(acme: Tenant, path: str, name: str, message: str) -> None:
    answer = acme.admin.get(f"{path}?{name}")

    assert answer.status_code == 400
    found = answer.get_json()
    assert message in found["detail"]
    assert found["errors"] == {name.partition("=")[0]: [found["detail"].partition(": ")[2]]}


@one_database
def test_what_is_allowed_is_named_once(acme: Tenant) -> None:
    for query in ("naem=x", "kind=bussines", "sort=naem", "expand=adresses"):
        detail = acme.admin.get(f"/customers?{query}").get_json()["detail"]

        assert detail.count("Must be one of") + detail.count("Allowed") == 1, detail


def test_a_filter_takes_every_form_that_the_field_takes(acme: Tenant, wile: Json) -> None:
    path = ADDRESSES.format(wile["id"])
    row = acme.admin.create(path, {"type": "billing", "line1": "1 Road", "city": "Oslo", "country": "Norway"})

    for query in ("country=NO", "country=norway", "country=NOR", "type=%20billing", "city=Oslo%20"):
        assert ids(acme.admin.get(f"{path}?{query}")) == [row["id"]], query


@one_database
def test_every_enumeration_refuses_a_misspelt_value(app: Flask, acme: Tenant, wile: Json) -> None:
    cruds = {route.endpoint for route in app.extensions["routes"] if issubclass(route.endpoint, Crud)}
    enumerated = {(crud.path, name) for crud in cruds for name in crud.filters if crud.listing.choices(name)}

    assert enumerated == {
        ("/companies", "status"),
        ("/customers", "kind"),
        ("/customers", "subscription_state"),
        ("/customers/<customer_id>/addresses", "type"),
        ("/customers/<customer_id>/communication-preferences", "channel"),
        ("/customers/<customer_id>/communication-preferences", "topic"),
        ("/customers/<customer_id>/documents", "verification_status"),
        ("/customers/<customer_id>/notes", "visibility"),
    }
    for path, name in enumerated:
        answer = acme.admin.get(f"{path.replace('<customer_id>', wile['id'])}?{name}=misspelt")
        assert answer.status_code == 400, (path, name)


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
    for text in ("école", "Écol", "École."):
        assert ids(acme.admin.get("/customers", query_string={"name": text})) == [], text


def test_an_empty_search_finds_everything(acme: Tenant, customers: list[Json]) -> None:
    for text in ("", "  "):
        assert len(ids(acme.admin.get("/customers", query_string={"search": text}))) == 5


def test_a_list_below_a_parent_that_is_not_there_is_not_found(acme: Tenant) -> None:
    answer = acme.admin.get(f"/positions/{uuid7()}/users")

    assert answer.status_code == 404
    assert answer.get_json()["error_code"] == "POSITION_NOT_FOUND"
