"""Empty texts, as forms of HTML send them."""

from typing import Any

from flask import Flask

from app.core.crud.crud import Crud
from app.core.wire.empty_texts import empty_to_null
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row

NULLABLE = ("email", "contact_person", "phone_number", "user_id", "country", "document_type", "customer_since")


@by_row("empty", ["", " ", "\n", " \t "])
def test_an_empty_text_for_a_nullable_field_is_stored_as_null(acme: Tenant, empty: str) -> None:
    row = acme.admin.create("/customers", {"name": "Wile"} | dict.fromkeys(NULLABLE, empty))
    unit = acme.admin.get("/organization_units").get_json()["data"][0]["id"]
    position = acme.admin.create("/positions", {"title": "Clerk", "organization_unit_id": unit, "level": empty})

    found = acme.admin.get(f"/customers/{row['id']}").get_json()
    assert {found[name] for name in NULLABLE} == {None}
    assert position["level"] is None


def test_a_form_that_is_saved_again_empties_its_fields(acme: Tenant) -> None:
    row = acme.admin.create("/customers", {"name": "Wile", "email": "wile@acme.example", "city": "Oslo"})

    for method in ("PUT", "PATCH"):
        answer = acme.admin.request(method, f"/customers/{row['id']}", {"name": "Wile", "email": "", "city": ""})

        assert answer.status_code == 200, answer.text
        assert (answer.get_json()["email"], answer.get_json()["city"]) == (None, None)


def test_two_users_without_a_name_do_not_collide(acme: Tenant) -> None:
    for number in (1, 2):
        body = {"email": f"user{number}@acme.example", "password": "lantern-otter-42", "username": ""}
        assert acme.admin.create("/users", body)["username"] is None


@by_row(
    "path, body",
    [
        ("/customers", {"name": ""}),
        ("/users", {"email": "", "password": "lantern-otter-42"}),
        ("/users", {"email": "a@acme.example", "password": ""}),
        ("/users", {"email": "a@acme.example", "password": "lantern-otter-42", "language": ""}),
        ("/users", {"email": "a@acme.example", "password": "lantern-otter-42", "is_active": ""}),
        ("/positions", {"title": "Clerk", "organization_unit_id": ""}),
        ("/customers", {"name": "Wile", "city": "\x1f"}),
        ("/customers", {"name": "Wile", "city": "\x00"}),
    ],
)
@one_database
def test_an_empty_text_for_any_other_field_is_refused(acme: Tenant, path: str, body: dict[str, Any]) -> None:
    assert acme.admin.post(path, body).status_code == 400


@one_database
def test_what_is_nested_follows_the_same_rule(acme: Tenant) -> None:
    body = {"name": "Globe", "admin": {"email": "g@globe.example", "first_name": "", "last_name": " "}, "website": ""}

    assert acme.admin.create("/companies", body)["website"] is None


@one_database
def test_no_field_of_the_service_stores_an_empty_text(app: Flask) -> None:
    cruds = {route.endpoint for route in app.extensions["routes"] if issubclass(route.endpoint, Crud)}
    for crud in cruds:
        nullable = [name for name, field in crud.wire.load_fields.items() if field.allow_none]
        assert empty_to_null(dict.fromkeys(nullable, ""), crud.wire.load_fields) == dict.fromkeys(nullable), crud
