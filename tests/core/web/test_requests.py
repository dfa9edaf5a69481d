"""PUT, PATCH, POST and DELETE, and the order of refusals."""

import time
from typing import Any

from flask import Flask
from uuid_utils.compat import uuid7

from tests.core.web.sending import refused, send
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json
from tests.support.marks import both_databases, one_database

pytestmark = one_database


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


@both_databases
def test_post_answers_with_the_row_and_where_it_is(acme: Tenant) -> None:
    answer = acme.admin.post("/customers", {"name": "Wile"})

    row = answer.get_json()
    assert answer.headers["Location"] == f"/customers/{row['id']}"
    assert acme.admin.get(answer.headers["Location"]).get_json() == row
    assert row["email"] is None


def test_the_location_begins_with_the_script_root(acme: Tenant) -> None:
    answer = acme.admin.post("/customers", {"name": "Wile"}, environ_overrides={"SCRIPT_NAME": "/identity"})

    assert answer.headers["Location"] == f"/identity/customers/{answer.get_json()['id']}"


def test_the_parent_in_the_path_cannot_be_contradicted_by_the_body(acme: Tenant) -> None:
    one, two = (acme.admin.create("/organization_units", {"name": name})["id"] for name in ("One", "Two"))

    answer = acme.admin.post(f"/organization_units/{one}/positions", {"title": "T", "organization_unit_id": two})

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert list(answer.get_json()["errors"]) == ["organization_unit_id"]


@both_databases
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
        (401, "TOKEN_MISSING"),
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


def test_a_run_of_combining_marks_is_refused_before_it_is_normalized(anonymous: ApiClient) -> None:
    hostile = "a" + "\u0301" * 1_000 + "\u0327" * 1_000

    started = time.thread_time()
    answer = anonymous.post("/auth/login", {"email": hostile, "password": "x"})

    assert answer.status_code == 400
    assert time.thread_time() - started < 0.5


def test_an_object_of_very_many_members_is_refused_as_a_whole(anonymous: ApiClient) -> None:
    answer = anonymous.post("/auth/login", {f"f{n}": 1 for n in range(501)})

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "MALFORMED_JSON")
