"""Bodies that are not acceptable, by their content or by their wrapping."""

import io
import json
from typing import Any

import pytest
from flask import Flask
from uuid_utils.compat import uuid7

from app.core.db.models import db
from tests.core.web.sending import refused, send
from tests.support.clients import Tenant
from tests.support.declared import Json
from tests.support.marks import one_database

READ_ONLY = ("id", "created_at", "updated_at", "logo_file_id", "has_logo", "row_version")


def writes_of(row: Json) -> tuple[tuple[str, str], ...]:
    path = f"/customers/{row['id']}"
    return ("POST", "/customers"), ("PUT", path), ("PATCH", path)


# What is no acceptable body


@one_database
def test_an_unknown_field_is_refused_by_name(acme: Tenant, wile: Json) -> None:
    for method, path in writes_of(wile):
        answer = acme.admin.request(method, path, {"name": "New", "nmae": "x"})

        assert refused(answer) == (400, "VALIDATION_ERROR")
        assert answer.get_json()["errors"] == {"nmae": ["Unknown or read-only field."]}


@one_database
def test_a_read_only_field_is_refused_even_with_its_own_value(acme: Tenant, wile: Json) -> None:
    for name in READ_ONLY:
        answer = acme.admin.patch(f"/customers/{wile['id']}", {name: wile.get(name)})

        assert refused(answer) == (400, "VALIDATION_ERROR"), name
        assert list(answer.get_json()["errors"]) == [name]


@one_database
def test_every_field_at_fault_is_named_at_once(acme: Tenant) -> None:
    answer = acme.admin.post("/customers", {"name": " ", "email": "nobody", "address": "x" * 256, "phone_number": 5})

    assert answer.get_json()["errors"] == {
        "name": ["Must not be blank."],
        "email": ["Not a valid email address."],
        "address": ["Longer than maximum length 255."],
        "phone_number": ["Not a valid string."],
    }


@one_database
def test_a_required_field_cannot_be_missing_null_or_blank(acme: Tenant) -> None:
    for body in ({}, {"name": None}, {"name": ""}, {"name": " \n\t"}):
        answer = acme.admin.post("/customers", body)

        assert refused(answer) == (400, "VALIDATION_ERROR"), body
        assert list(answer.get_json()["errors"]) == ["name"]


MALFORMED = {
    "empty": b"",
    "not JSON": b"name=Wile",
    "cut off": b'{"name": "Wile"',
    "two values": b'{"name": "a"} {"name": "b"}',
    "single quotes": b"{'name': 'a'}",
    "NaN": b'{"name": NaN}',
    "infinity": b'{"name": -Infinity}',
    "a name twice": b'{"name": "a", "name": "b"}',
    "a name twice, deeper": b'{"name": {"x": 1, "x": 2}}',
    "a name twice by escape": b'{"name": "a", "n\\u0061me": "b"}',
    "bare NUL": b'{"name": "a\x00b"}',
    "NUL in a name": b'{"name": "a", "\\u0000": 1}',
    "half a surrogate pair in a name": b'{"name": "a", "\\ud800": 1}',
    "not UTF-8": b'{"name": "\xff"}',
    "surrogates as UTF-8": b'{"name": "\xed\xa0\x80"}',
    "UTF-16": '{"name": "a"}'.encode("utf-16"),
    "byte order mark": b'\xef\xbb\xbf{"name": "a"}',
    "10,000 deep arrays": b"[" * 10_000,
    "10,000 deep objects": b'{"a":' * 10_000,
    "10,000 deep and closed": b"[" * 10_000 + b"]" * 10_000,
    "a number of 5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
}
NO_OBJECT = (b"[]", b'[{"name": "a"}]', b'"name"', b"1", b"null", b"true")


@one_database
def test_what_is_not_json_is_malformed(acme: Tenant) -> None:
    for what, data in MALFORMED.items():
        assert refused(send(acme.admin, data)) == (400, "MALFORMED_JSON"), what


@one_database
def test_json_that_is_no_object_is_refused(acme: Tenant) -> None:
    for data in NO_OBJECT:
        answer = send(acme.admin, data)

        assert refused(answer) == (400, "BAD_REQUEST"), data
        assert answer.get_json()["detail"] == "The body must be a JSON object."


MISFITS = {
    "NUL": "a\x00b",
    "bell": "a\x07b",
    "carriage return": "a\rb",
    "escape": "\x1b[31m",
    "delete": "a\x7f",
    "C1": "a\x85b",
    "unit separator at the end": "a\x1f",
    "vertical tab in front": "\x0ba",
    "half a surrogate pair": "\ud800",
    "the other half": "a\udfff",
    "too long": "x" * 101,
    "a number": 1,
    "a boolean": True,
    "an array": ["a"],
    "an object": {"a": "b"},
}


def test_text_that_cannot_be_kept_is_refused_at_its_field(acme: Tenant) -> None:
    for what, text in MISFITS.items():
        for field in ("name", "contact_person"):
            answer = send(acme.admin, json.dumps({"name": "Wile"} | {field: text}))

            assert refused(answer) == (400, "VALIDATION_ERROR"), what
            assert list(answer.get_json()["errors"]) == [field], what


MISFIT_NUMBERS = (
    "100000000000000000000", "2147483648", "-2147483649", "1e400", "1.5", '"1"', "true", "[]", "9" * 4000,
)  # fmt: skip


def test_numbers_that_do_not_fit_are_refused_at_their_field(acme: Tenant) -> None:
    unit = acme.admin.get("/organization_units").get_json()["data"][0]["id"]

    for number in MISFIT_NUMBERS:
        body = f'{{"title": "T", "organization_unit_id": "{unit}", "level": {number}}}'
        answer = send(acme.admin, body, "/positions")
        assert refused(answer) == (400, "VALIDATION_ERROR"), number
        assert list(answer.get_json()["errors"]) == ["level"], number

    for number in ("2147483647", "-2147483648", "0", "null"):
        body = f'{{"title": "T", "organization_unit_id": "{unit}", "level": {number}}}'
        assert send(acme.admin, body, "/positions").status_code == 201, number


@one_database
def test_an_id_in_a_body_that_is_none_is_refused_at_its_field(acme: Tenant) -> None:
    for value in (1, "1", "", "x" * 36, "{01a1f800-471b-7080-9fda-a10dea3418e3}", [], str(uuid7()), None):
        answer = acme.admin.post("/positions", {"title": "T", "organization_unit_id": value})

        assert refused(answer) == (400, "VALIDATION_ERROR"), value
        assert list(answer.get_json()["errors"]) == ["organization_unit_id"], value


@one_database
def test_booleans_are_true_and_false_only(acme: Tenant) -> None:
    user = acme.user()

    for value in (1, 0, "true", "false", "yes", None, []):
        answer = acme.admin.patch(f"/users/{user.user_id}", {"is_active": value})
        assert refused(answer) == (400, "VALIDATION_ERROR"), value


def test_text_is_trimmed_and_normalized(acme: Tenant) -> None:
    given = {"name": "  E\u0301cole \n", "address": "1\n2\t3", "email": "  E\u0301cole@EXAMPLE.com "}

    made = acme.admin.create("/customers", given)

    assert (made["name"], made["address"], made["email"]) == ("École", "1\n2\t3", "école@example.com")


def test_text_of_the_greatest_length_fits_in_any_script(acme: Tenant) -> None:
    made = acme.admin.create("/customers", {"name": "😀" * 100, "address": "ß" * 255})

    assert acme.admin.get(f"/customers/{made['id']}").get_json() == made


# The wrapping


OTHER_TYPES = (
    "text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "", "json",
    "application/jsonp",
)  # fmt: skip


@one_database
def test_another_media_type_is_refused(acme: Tenant) -> None:
    for kind in OTHER_TYPES:
        assert refused(send(acme.admin, b'{"name": "a"}', content_type=kind)) == (415, "UNSUPPORTED_MEDIA_TYPE"), kind


@one_database
def test_parameters_of_the_media_type_do_not_matter(acme: Tenant) -> None:
    for kind in ("application/json; charset=utf-8", "Application/JSON", "application/json;charset=UTF-8"):
        assert send(acme.admin, '{"name": "é"}'.encode(), content_type=kind).status_code == 201, kind


@pytest.fixture
def small(app: Flask, monkeypatch: pytest.MonkeyPatch) -> int:
    """The greatest body, in bytes."""
    monkeypatch.setitem(app.config, "MAX_JSON_LENGTH", 1000)
    return 1000


@one_database
def test_a_body_over_the_limit_is_refused(acme: Tenant, small: int, wile: Json) -> None:
    large = json.dumps({"name": "a", "address": "x" * small})

    for method, path in writes_of(wile):
        assert refused(send(acme.admin, large, path, method)) == (413, "PAYLOAD_TOO_LARGE")
    assert send(acme.admin, json.dumps({"name": "a"}).ljust(small)).status_code == 201


@one_database
def test_a_chunked_body_over_the_limit_is_refused_without_a_length(acme: Tenant, small: int) -> None:
    for size, expected in ((small, 201), (small + 1, 413)):
        chunks = io.BytesIO(json.dumps({"name": "a"}).ljust(size).encode())
        answer = acme.admin.request(
            "POST",
            "/customers",
            input_stream=chunks,
            content_type="application/json",
            environ_overrides={"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"},
        )
        assert answer.status_code == expected


class Trickle(io.BytesIO):
    """A body that notes how many connections are taken while it is still coming."""

    taken: int | None = None

    def read(self, size: int | None = -1) -> bytes:
        self.taken = db.engine.pool.checkedout()  # type: ignore[attr-defined]
        return super().read(size)

    def readinto(self, buffer: Any) -> int:
        self.taken = db.engine.pool.checkedout()  # type: ignore[attr-defined]
        return super().readinto(buffer)


def test_no_connection_waits_for_a_body(acme: Tenant, wile: Json) -> None:
    unit = acme.admin.get("/organization_units").get_json()["data"][0]["id"]

    for method, path, body in (
        ("POST", "/customers", {"name": "New"}),
        ("PUT", f"/customers/{wile['id']}", {"name": "New"}),
        ("PATCH", f"/customers/{wile['id']}", {"name": "Newer"}),
        ("PATCH", "/users/me", {"first_name": "Ada"}),
        ("POST", f"/organization_units/{unit}/positions", {"title": "New"}),
    ):
        data = json.dumps(body).encode()
        stream = Trickle(data)
        answer = acme.admin.request(
            method, path, input_stream=stream, content_type="application/json", content_length=len(data)
        )
        assert answer.status_code in (200, 201), answer.text
        assert stream.taken == 0, (method, path)
