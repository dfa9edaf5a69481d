"""Merging: who may, and what is left of the source."""

from uuid import uuid4

import pytest

from tests.customers.dossier import NOTE, PARTS, Json, customer, ids, shown, tag
from tests.customers.merge.merging import code_of, id_of, merge, merged
from tests.support.clients import Tenant
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row

pytestmark = one_database


def test_merging_needs_customer_merge_create(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    body = {"source_id": id_of(source)}

    for role in (None, "viewer", "manager", "customer"):
        assert acme.user(role).post(f"{target}/merge", body).status_code == 403, role
        assert acme.user(role).post(f"{target}/merge/{id_of(source)}/undo").status_code == 403, role

    assert shown(acme, source)["id"] == id_of(source)


def test_a_customer_of_another_company_is_as_unknown_as_none(acme: Tenant, globex: Tenant) -> None:
    target, foreign = customer(acme), customer(globex)

    answers = [merge(acme, target, source) for source in (foreign, f"/customers/{uuid4()}")]

    assert [answer.status_code for answer in answers] == [400, 400]
    assert [answer.get_json()["errors"] for answer in answers] == [{"source_id": ["Not found."]}] * 2
    assert merge(acme, foreign, target).status_code == 404
    assert shown(globex, foreign)["id"] == id_of(foreign)


@by_row(
    ("body", "field"),
    [
        ({}, "source_id"),
        ({"source_id": "x"}, "source_id"),
        ({"source_id": str(uuid4()), "fields": {"salary": "source"}}, "fields"),
        ({"source_id": str(uuid4()), "fields": {"city": "both"}}, "fields"),
        ({"source_id": str(uuid4()), "fields": []}, "fields"),
        ({"source_id": str(uuid4()), "force": True}, "force"),
    ],
)
def test_what_makes_no_sense_is_refused(acme: Tenant, body: Json, field: str) -> None:
    answer = acme.admin.post(f"{customer(acme)}/merge", body)

    assert (answer.status_code, list(answer.get_json()["errors"])) == (400, [field])


def test_a_customer_cannot_be_merged_into_itself(acme: Tenant) -> None:
    path = customer(acme)

    answer = merge(acme, path, path)

    assert answer.get_json()["errors"] == {"source_id": ["Is the customer itself."]}


@both_databases
def test_a_customer_that_was_merged_is_neither_source_nor_target_again(acme: Tenant) -> None:
    target, source, third = customer(acme), customer(acme), customer(acme)
    merged(acme, target, source)

    assert code_of(merge(acme, third, source)) == (409, "CUSTOMER_MERGED")
    assert code_of(merge(acme, target, source)) == (409, "CUSTOMER_MERGED")
    assert code_of(merge(acme, source, third)) == (409, "CUSTOMER_MERGED")


# What is left of the source


def test_the_source_redirects_to_the_survivor(acme: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    note = acme.admin.create(f"{source}/notes", NOTE)["id"]
    merged(acme, target, source)

    places = {
        source: target,
        f"{source}?expand=contacts": f"{target}?expand=contacts",
        f"{source}/notes?limit=1": f"{target}/notes?limit=1",
        f"{source}/notes/{note}": f"{target}/notes/{note}",
        f"{source}/subscription-state": f"{target}/subscription-state",
    }

    for path, place in places.items():
        answer = acme.admin.get(path)
        assert (answer.status_code, answer.headers["Location"]) == (307, place)
        assert answer.headers["Cache-Control"] == "no-store"
    assert acme.admin.get(source, follow_redirects=True).get_json()["id"] == id_of(target)


def test_a_redirect_shows_nothing_to_who_may_not_read(acme: Tenant, globex: Tenant) -> None:
    target, source = customer(acme), customer(acme)
    merged(acme, target, source)

    assert acme.user().get(source).status_code == 403
    assert globex.admin.get(source).status_code == 404
    assert globex.admin.delete(source).status_code == 404


def test_a_chain_of_merges_is_one_redirect(acme: Tenant) -> None:
    first, second, third = customer(acme), customer(acme), customer(acme)

    merged(acme, second, first)
    merged(acme, third, second)

    for path in (first, second):
        assert acme.admin.get(path).headers["Location"] == third


@pytest.mark.parametrize("part", PARTS)
def test_writing_below_the_source_is_a_conflict(acme: Tenant, part: str) -> None:
    target, source = customer(acme), customer(acme)
    made = acme.admin.create(f"{source}/{part}", PARTS[part])["id"]
    merged(acme, target, source)

    answers = [
        acme.admin.post(f"{source}/{part}", PARTS[part]),
        acme.admin.patch(f"{source}/{part}/{made}", {}),
        acme.admin.delete(f"{source}/{part}/{made}"),
    ]

    assert [code_of(answer) for answer in answers] == [(409, "CUSTOMER_MERGED")] * 3


def test_writing_to_the_source_is_a_conflict_that_names_the_survivor(acme: Tenant) -> None:
    target, source, word = customer(acme), customer(acme), tag(acme)["id"]
    merged(acme, target, source)

    answers = [
        acme.admin.patch(source, {"name": "New"}),
        acme.admin.put(source, {"name": "New"}),
        acme.admin.delete(source),
        acme.admin.post(f"{source}/tags/{word}"),
        acme.admin.put(f"{source}/subscription-state", {"state": "trial"}),
        acme.admin.delete(f"{source}/logo"),
    ]

    assert [code_of(answer) for answer in answers] == [(409, "CUSTOMER_MERGED")] * len(answers)
    assert id_of(target) in answers[0].get_json()["detail"]


@both_databases
def test_the_source_no_longer_counts_nor_holds_what_is_held_once(acme: Tenant) -> None:
    user, word = acme.user(), tag(acme)
    target = customer(acme, name="Kept")
    source = customer(acme, name="Gone", email="gone@example.com", user_id=user.user_id)
    for path in (target, source):
        acme.admin.post(f"{path}/tags/{word['id']}")

    merged(acme, target, source, email="target", user_id="target")

    assert acme.admin.get("/customers").get_json()["pagination"]["total"] == 1
    assert ids(acme, "/customers?search=gone") == []
    assert acme.admin.get("/customers/stats").get_json()["total"] == 1
    assert shown(acme, f"/tags/{word['id']}")["customer_count"] == 1
    acme.admin.create("/customers", {"name": "New", "email": "gone@example.com", "user_id": user.user_id})
