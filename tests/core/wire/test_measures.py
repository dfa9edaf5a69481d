"""Texts, lists and maps are measured before anything is made of them."""

from typing import Any

import pytest
from flask import Flask
from marshmallow import ValidationError, fields, validate

from app.core.wire.containers import Items, Map
from app.core.wire.schema import Text
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json, Maker, routes_of, schema_of
from tests.support.marks import one_database
from tests.support.rows import by_row

MARKS = "\u0315\u0300"


class Counted(fields.Field[Any]):
    """Counts how often it is loaded."""

    loaded = 0

    def _deserialize(self, value: Any, *_args: Any, **_kwargs: Any) -> Any:
        Counted.loaded += 1
        return value


@by_row(
    ("field", "value"),
    [
        (Items(Counted(), validate=validate.Length(max=3)), [1] * 4),
        (Items(Counted(), validate=validate.Length(min=3)), [1] * 2),
        (Map(keys=Counted(), values=Counted(), validate=validate.Length(max=3)), dict.fromkeys("abcd")),
    ],
)
def test_no_item_of_a_collection_of_the_wrong_length_is_loaded(field: fields.Field[Any], value: Any) -> None:
    Counted.loaded = 0

    with pytest.raises(ValidationError, match=r"(Longer|Shorter) than"):
        field.deserialize(value)

    assert Counted.loaded == 0


def test_a_list_names_its_first_20_faulty_items() -> None:
    with pytest.raises(ValidationError) as refusal:
        Items(text(1), validate=validate.Length(max=1000)).deserialize(["x", *(["too long"] * 999)])

    assert list(refusal.value.messages) == list(range(1, 21))


@by_row("value", [{}, {"a": 1}, "text", 1])
def test_what_is_no_list_is_refused(value: Any) -> None:
    with pytest.raises(ValidationError, match="Not a valid list"):
        Items(text(1)).deserialize(value)


def test_a_collection_of_the_right_length_is_loaded() -> None:
    assert Items(Counted(), validate=validate.Length(max=3)).deserialize([1, 2, 3]) == [1, 2, 3]
    assert Map(values=Counted(), validate=validate.Length(max=1)).deserialize({"a": 1}) == {"a": 1}


@one_database
def test_every_collection_in_a_body_states_its_greatest_length(app: Flask) -> None:
    schemas = [schema for route in routes_of(app) if (schema := schema_of(route))]
    found = {(type(schema).__name__, name): field for schema in schemas for name, field in schema.load_fields.items()}
    collections = {key: field for key, field in found.items() if isinstance(field, fields.List | fields.Dict)}

    assert collections
    for key, field in collections.items():
        assert isinstance(field, Items | Map), key
        assert any(isinstance(rule, validate.Length) and rule.max for rule in field.validators), key


def text(length: int) -> Text:
    return Text(validate=validate.Length(max=length))


@by_row(
    ("value", "message"),
    [
        ("a" + MARKS * 16, "Must not contain more than 30 combining marks in a row."),
        ("a" + "\u20dd" * 31, "Must not contain more than 30 combining marks in a row."),
        ("e\u0301" * 150 + " ", "Longer than maximum length 75."),
        ("x" * 301, "Longer than maximum length 75."),
    ],
)
def test_a_text_is_measured_before_it_is_normalized(value: str, message: str) -> None:
    with pytest.raises(ValidationError) as refusal:
        text(75).deserialize(value)

    assert refusal.value.messages == [message]


def test_a_text_may_have_four_code_points_for_each_of_its_length() -> None:
    assert text(75).deserialize("\u1f82" * 75) == "\u1f82" * 75
    assert text(75).deserialize("\u03b1\u0313\u0300\u0345" * 75) == "\u1f82" * 75
    assert text(75).deserialize("x" * 75 + " " * 225) == "x" * 75
    assert text(75).deserialize("a" + MARKS * 15) == "\u00e0" + "\u0300" * 14 + "\u0315" * 15


@one_database
def test_no_text_of_any_operation_takes_more_marks_than_30(app: Flask, acme: Tenant) -> None:
    maker = Maker(app, acme)
    hostile = "a" + MARKS * 16

    for route, path, schema in [(each, maker.path(each.path), schema_of(each)) for each in routes_of(app)]:
        names = [name for name, field in (schema.load_fields if schema else {}).items() if isinstance(field, Text)]
        client = ApiClient(app) if route.endpoint.access == "public" else acme.admin
        if not names or route.declaration.upload:
            continue
        answer: Json = client.request(route.method, path, dict.fromkeys(names, hostile)).get_json()
        if answer["status"] in (403, 404):
            continue  # Registration is closed, and the administrator has no profile as a customer.
        assert answer["status"] == 400, path
        messages = [str(answer["errors"][name]) for name in names]
        assert all("combining marks" in message or "Longer than" in message for message in messages), path


@one_database
def test_no_query_takes_more_marks_than_30(acme: Tenant) -> None:
    for query in ({"search": "a" + MARKS * 16}, {"name": MARKS * 16}, {"email": MARKS * 16}):
        answer = acme.admin.get("/customers", query_string=query)

        assert answer.status_code == 400
        assert "combining marks" in str(answer.get_json()["errors"])
