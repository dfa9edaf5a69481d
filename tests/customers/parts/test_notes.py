"""What /customers/{id}/notes adds to a part: pinned ones first, and who may remove one."""

from typing import Any

import pytest

from tests.customers.dossier import NOTE, Json, customer, ids, rows, shown
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row

WRITER = ("identity:customer_note:CREATE", "identity:customer_note:READ", "identity:customer_note:UPDATE")


def note(client: ApiClient, owner: str, **values: Any) -> str:
    """The path of a new note."""
    return f"{owner}/notes/{client.create(f'{owner}/notes', NOTE | values)['id']}"


@pytest.mark.parametrize("order", ["asc", "desc"])
def test_pinned_notes_come_first_in_every_order_and_on_every_page(acme: Tenant, order: str) -> None:
    owner = customer(acme)
    made = [note(acme.admin, owner, is_pinned=number in (2, 5)).rpartition("/")[2] for number in range(7)]
    pinned, others = [made[2], made[5]], [made[n] for n in (0, 1, 3, 4, 6)]
    expected = pinned + others if order == "asc" else pinned[::-1] + others[::-1]

    path = f"{owner}/notes?limit=1&order={order}"
    walked, cursor = [], ""
    while cursor is not None:
        page = shown(acme, f"{path}&cursor={cursor}")
        walked += [row["id"] for row in page["data"]]
        cursor = page["pagination"]["next_cursor"]

    assert walked == ids(acme, f"{owner}/notes?order={order}") == expected


def test_a_note_knows_its_author_until_that_user_is_deleted(acme: Tenant) -> None:
    clerk = user_with(acme, *WRITER)
    path = note(clerk, customer(acme))
    acme.admin.patch(path, {"body": "Changed by another."})

    before = shown(acme, path)["author"]
    acme.admin.delete(f"/users/{clerk.user_id}")

    assert (before, shown(acme, path)["author"]) == (clerk.user_id, None)


def test_authors_remove_their_own_notes_and_nobody_elses(acme: Tenant) -> None:
    owner, author, other = customer(acme), user_with(acme, *WRITER), user_with(acme, *WRITER)
    path = note(author, owner)

    refused = other.delete(path)
    removed = author.delete(path)

    assert (refused.status_code, refused.get_json()["error_code"]) == (403, "ACCESS_DENIED")
    assert removed.status_code == 204
    assert rows(acme, f"{owner}/notes") == []


def test_who_holds_delete_removes_the_notes_of_others(acme: Tenant) -> None:
    path = note(user_with(acme, *WRITER), customer(acme))
    holder = user_with(acme, "identity:customer_note:READ", "identity:customer_note:DELETE")

    assert holder.delete(path).status_code == 204


def test_a_note_that_is_not_there_and_one_of_somebody_else_are_refused_alike(acme: Tenant, globex: Tenant) -> None:
    writer, owner = user_with(acme, *WRITER), customer(acme)
    foreign = note(globex.admin, customer(globex)).rpartition("/")[2]

    answers = [writer.delete(f"{owner}/notes/{each}") for each in (foreign, "00000000-0000-0000-0000-000000000001")]

    assert [answer.status_code for answer in answers] == [403, 403]


@one_database
@by_row(
    "values", [{"body": "x" * 10_001}, {"body": "\x00"}, {"visibility": "public"}, {"author": None}, {"is_pinned": 1}]
)
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    answer = acme.admin.post(f"{customer(acme)}/notes", NOTE | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)


def test_a_note_may_have_ten_thousand_characters_and_lines(acme: Tenant) -> None:
    text = ("€" * 99 + "\n") * 99 + "€" * 100

    assert shown(acme, note(acme.admin, customer(acme), body=text))["body"] == text
