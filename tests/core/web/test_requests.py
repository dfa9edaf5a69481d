"""Bodies, PUT and PATCH, and the order in which one request is refused."""

import io
import json
import time
from typing import Any

import pytest
from flask import Flask
from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

from app.core.db.models import db
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json
from tests.support.marks import one_database

READ_ONLY = ("id", "company_id", "created_at", "updated_at", "logo_file_id", "has_logo", "row_version")


def send(
    client: ApiClient, data: bytes | str, path: str = "/customers", method: str = "POST", **options: Any
) -> TestResponse:
    options.setdefault("content_type", "application/json")
    return client.request(method, path, data=data, **options)


def refused(answer: TestResponse) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


@pytest.fixture
def wile(acme: Tenant) -> Json:
    return acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com", "address": "Canyon 1"})


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
    "200,000 deep arrays": b"[" * 200_000,
    "200,000 deep objects": b'{"a":' * 200_000,
    "200,000 deep and closed": b"[" * 200_000 + b"]" * 200_000,
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
    monkeypatch.setitem(app.config, "MAX_CONTENT_LENGTH", 1000)
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


# PUT and PATCH


def test_put_needs_the_required_fields_and_keeps_the_absent_others(acme: Tenant, wile: Json) -> None:
    path = f"/customers/{wile['id']}"

    missing = acme.admin.put(path, {"address": "Canyon 2"})
    replaced = acme.admin.put(path, {"name": "Wile E.", "phone_number": "1"})

    assert refused(missing) == (400, "VALIDATION_ERROR")
    assert missing.get_json()["errors"] == {"name": ["Missing data for required field."]}
    kept = {**wile, "name": "Wile E.", "phone_number": "1", "updated_at": replaced.get_json()["updated_at"]}
    assert replaced.get_json() == kept
    assert acme.admin.get(path).get_json() == kept


def test_patch_changes_what_is_given(acme: Tenant, wile: Json) -> None:
    path = f"/customers/{wile['id']}"

    changed = acme.admin.patch(path, {"address": None}).get_json()

    assert changed == {**wile, "address": None, "updated_at": changed["updated_at"]}
    assert changed["updated_at"] > wile["updated_at"]


def test_patch_of_nothing_and_of_the_same_changes_nothing(acme: Tenant, wile: Json) -> None:
    path = f"/customers/{wile['id']}"
    before = acme.admin.get(path)

    for body in ({}, {"name": "Wile"}):
        after = acme.admin.patch(path, body)
        assert (after.get_json(), after.headers["ETag"]) == (wile, before.headers["ETag"])


def test_post_answers_with_the_row_and_where_it_is(acme: Tenant) -> None:
    answer = acme.admin.post("/customers", {"name": "Wile"})

    row = answer.get_json()
    assert answer.headers["Location"] == f"/customers/{row['id']}"
    assert acme.admin.get(answer.headers["Location"]).get_json() == row
    assert row["email"] is None


@one_database
def test_the_location_begins_with_the_script_root(acme: Tenant) -> None:
    answer = acme.admin.post("/customers", {"name": "Wile"}, environ_overrides={"SCRIPT_NAME": "/identity"})

    assert answer.headers["Location"] == f"/identity/customers/{answer.get_json()['id']}"


@one_database
def test_the_parent_in_the_path_cannot_be_contradicted_by_the_body(acme: Tenant) -> None:
    one, two = (acme.admin.create("/organization_units", {"name": name})["id"] for name in ("One", "Two"))

    answer = acme.admin.post(f"/organization_units/{one}/positions", {"title": "T", "organization_unit_id": two})

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert list(answer.get_json()["errors"]) == ["organization_unit_id"]


def test_delete_answers_nothing_and_the_row_is_gone(acme: Tenant, wile: Json) -> None:
    path = f"/customers/{wile['id']}"

    answer = acme.admin.delete(path)

    assert (answer.status_code, answer.data) == (204, b"")
    assert acme.admin.get(path).status_code == 404
    assert acme.admin.delete(path).status_code == 404


# The order of refusals: each request is wrong in everything that is checked later, too.

CROSS_SITE = {"Sec-Fetch-Site": "cross-site"}
STALE = {"If-Match": '"99"'}


def cookie(client: ApiClient) -> dict[str, str]:
    return {"Cookie": f"access_token={client.token}"}


def test_what_is_wrong_first_is_answered_first(app: Flask, acme: Tenant, wile: Json) -> None:
    acme.admin.create("/customers", {"name": "Other", "email": "other@example.com"})
    nobody, viewer = acme.user(), acme.user("viewer")
    path, unknown = f"/customers/{wile['id']}", f"/customers/{uuid7()}"
    browser = ApiClient(app)
    taken = {"email": "other@example.com"}
    wrong_type: Json = {"data": b"x", "content_type": "text/plain"}

    def patch(client: ApiClient, where: str, headers: dict[str, str], **options: Any) -> tuple[int, str]:
        return refused(client.request("PATCH", where, options.pop("json", None), headers=headers, **options))

    answers = [
        patch(browser, "/customers/1", {**CROSS_SITE, **STALE}, **wrong_type),
        patch(browser, "/customers/1", {**cookie(viewer), **CROSS_SITE, **STALE}, **wrong_type),
        patch(nobody, "/customers/1", STALE, **wrong_type),
        patch(viewer, "/customers/1", STALE, **wrong_type),
        patch(acme.admin, "/customers/1", STALE, **wrong_type),
        patch(acme.admin, unknown, STALE, **wrong_type),
        patch(acme.admin, path, STALE, **wrong_type),
        patch(acme.admin, path, STALE, json={"nmae": "x", **taken}),
        patch(acme.admin, path, STALE, json=taken),
        patch(acme.admin, path, {}, json=taken),
    ]

    assert answers == [
        (401, "UNAUTHENTICATED"),
        (403, "CSRF_REJECTED"),
        (403, "ACCESS_DENIED"),
        (403, "ACCESS_DENIED"),
        (400, "INVALID_ID"),
        (404, "CUSTOMER_NOT_FOUND"),
        (415, "UNSUPPORTED_MEDIA_TYPE"),
        (400, "VALIDATION_ERROR"),
        (412, "PRECONDITION_FAILED"),
        (409, "CONFLICT"),
    ]
    assert acme.admin.get(path).get_json() == wile


def test_a_reference_that_is_not_there_is_told_before_a_version_that_does_not_match(acme: Tenant) -> None:
    unit = acme.admin.create("/organization_units", {"name": "Unit"})["id"]
    position = acme.admin.create("/positions", {"title": "T", "organization_unit_id": unit})["id"]

    answer = acme.admin.patch(f"/positions/{position}", {"organization_unit_id": str(uuid7())}, headers=STALE)

    assert refused(answer) == (400, "VALIDATION_ERROR")


def test_an_unknown_parent_is_told_before_a_wrong_body(acme: Tenant) -> None:
    answer = send(acme.admin, b"x", f"/organization_units/{uuid7()}/positions", content_type="text/plain")

    assert refused(answer) == (404, "ORGANIZATION_UNIT_NOT_FOUND")


def test_an_unknown_id_with_a_version_is_not_found(acme: Tenant) -> None:
    for method, body in (("PUT", {"name": "x"}), ("PATCH", {"name": "x"}), ("DELETE", None)):
        answer = acme.admin.request(method, f"/customers/{uuid7()}", body, headers=STALE)
        assert refused(answer) == (404, "CUSTOMER_NOT_FOUND")


def test_an_id_may_be_written_in_capitals_and_in_no_other_way(acme: Tenant, wile: Json) -> None:
    assert acme.admin.get(f"/customers/{wile['id'].upper()}").get_json() == wile

    for text in (wile["id"].replace("-", ""), f"{{{wile['id']}}}", f"urn:uuid:{wile['id']}", "0", "%20", "null", "é"):
        assert refused(acme.admin.get(f"/customers/{text}")) == (400, "INVALID_ID"), text


@one_database
def test_a_run_of_combining_marks_is_refused_before_it_is_normalized(anonymous: ApiClient) -> None:
    hostile = "a" + "\u0301" * 20_000 + "\u0327" * 20_000

    started = time.process_time()
    answer = anonymous.post("/auth/login", {"email": hostile, "password": "x"})

    assert answer.status_code == 400
    assert time.process_time() - started < 0.5


@one_database
def test_an_object_of_very_many_members_is_refused_as_a_whole(anonymous: ApiClient) -> None:
    answer = anonymous.post("/auth/login", {f"field{n}": 1 for n in range(10_000)})

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "MALFORMED_JSON")
