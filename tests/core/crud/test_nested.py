"""Collections below a row, from one ``parent`` declaration; shown on the parts of a customer."""

from typing import Any

import pytest
from uuid_utils.compat import uuid7

from app.core.db import tenancy
from app.customers.parts.notes import CustomerNotes
from tests.customers.dossier import ADDRESS, NOTE, PARTS, customer, ids, shown
from tests.support.clients import Tenant
from tests.support.roles import user_with

ITEM = ("GET", "PUT", "PATCH", "DELETE")


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]


@pytest.mark.parametrize("part", PARTS)
def test_a_part_is_made_read_changed_and_removed_below_its_parent(acme: Tenant, part: str) -> None:
    owner = customer(acme)
    answer = acme.admin.post(f"{owner}/{part}", PARTS[part])
    made, path = answer.get_json(), answer.headers["Location"]

    changed = acme.admin.put(path, PARTS[part])
    patched = acme.admin.patch(path, {})
    tag = acme.admin.get(path).headers["ETag"]
    removed = acme.admin.delete(path)

    assert (answer.status_code, path) == (201, f"{owner}/{part}/{made['id']}")
    assert made["customer_id"] == owner.rpartition("/")[2]
    assert changed.status_code == patched.status_code == 200
    assert patched.headers["ETag"] == tag
    assert removed.status_code == 204
    assert refusal(acme.admin.get(path))[0] == 404
    assert ids(acme, f"{owner}/{part}") == []


@pytest.mark.parametrize("where", ["another company", "nowhere"])
def test_a_missing_parent_is_not_found_before_anything_else_is_said(acme: Tenant, globex: Tenant, where: str) -> None:
    owner = customer(globex) if where == "another company" else f"/customers/{uuid7()}"
    nonsense = {"data": "{", "content_type": "application/json", "headers": {"If-Match": '"7"'}}

    for part in (*PARTS, "services"):
        for method, path in (("GET", f"{owner}/{part}"), ("POST", f"{owner}/{part}")):
            answer = acme.admin.request(method, path, **(nonsense if method == "POST" else {}))
            assert refusal(answer) == (404, "CUSTOMER_NOT_FOUND"), path
    for method in ITEM:
        answer = acme.admin.request(method, f"{owner}/addresses/{uuid7()}", **(nonsense if method != "GET" else {}))
        assert refusal(answer) == (404, "CUSTOMER_NOT_FOUND"), method


def test_an_item_of_another_parent_is_not_found_and_stays_as_it_is(acme: Tenant) -> None:
    owner, other = customer(acme), customer(acme)
    made = acme.admin.create(f"{other}/notes", NOTE)

    for method in ITEM:
        body = None if method in ("GET", "DELETE") else {"body": "Changed."}
        assert refusal(acme.admin.request(method, f"{owner}/notes/{made['id']}", body)) == (
            404,
            "CUSTOMER_NOTE_NOT_FOUND",
        )

    assert shown(acme, f"{other}/notes/{made['id']}") == made


def test_the_parent_comes_from_the_path_alone(acme: Tenant) -> None:
    owner, other = customer(acme), customer(acme)

    answer = acme.admin.post(f"{owner}/notes", NOTE | {"customer_id": other.rpartition("/")[2]})

    assert list(answer.get_json()["errors"]) == ["customer_id"]
    assert ids(acme, f"{owner}/notes") == ids(acme, f"{other}/notes") == []


def test_reading_an_item_proves_its_parent_in_the_same_statement(acme: Tenant, statements: Any) -> None:
    owner, decision = customer(acme), 1
    path = f"{owner}/addresses/{acme.admin.create(f'{owner}/addresses', ADDRESS)['id']}"

    with statements() as item:
        acme.admin.get(path)
    with statements() as page:
        acme.admin.get(f"{owner}/addresses")
    with statements() as patch:
        acme.admin.patch(path, {"label": "Door"})

    assert len(item) == len(page) == 2 + decision
    assert len(patch) <= 4 + decision


def test_the_refusals_come_in_the_order_of_the_contract(acme: Tenant, anonymous: Any) -> None:
    owner = customer(acme)
    path = f"{owner}/notes/{acme.admin.create(f'{owner}/notes', NOTE)['id']}"
    reader = user_with(acme, "identity:customer_note:READ")
    stale, text = {"If-Match": '"9"'}, {"data": "x", "content_type": "text/plain"}

    assert refusal(anonymous.patch(path, **text))[0] == 401
    assert refusal(reader.patch(path, **text))[0] == 403
    assert refusal(acme.admin.patch(path, **text, headers=stale))[0] == 415
    assert refusal(acme.admin.patch(path, {"body": " "}, headers=stale))[0] == 400
    assert refusal(acme.admin.patch(path, {"body": "New."}, headers=stale))[0] == 412


def test_a_deleted_parent_takes_all_that_is_below_it(acme: Tenant) -> None:
    owner, other = customer(acme), customer(acme)
    for each in (owner, other):
        for part, values in PARTS.items():
            acme.admin.create(f"{each}/{part}", values)

    answer = acme.admin.delete(owner)

    assert answer.status_code == 204
    assert all(len(ids(acme, f"{other}/{part}")) == 1 for part in PARTS)


def test_values_of_a_row_below_another_are_prepared_before_it_is_created(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepared = []

    def note(_self: CustomerNotes, values: dict[str, Any]) -> None:
        prepared.append(tenancy._in_transaction.get())
        values["body"] = values["body"].upper()

    monkeypatch.setattr(CustomerNotes, "before_create", note)
    path = f"{customer(acme)}/notes"

    assert acme.admin.post(path, {"body": "quiet"}).get_json()["body"] == "QUIET"
    assert prepared == [False]
