"""What the dossier adds to the customer itself: fields, a linked user, filters, search, embedding."""

from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.models import Customer
from tests.customers.dossier import ADDRESS, EXPANDED, PARTS, SERVICE, Json, customer, ids, shown, tag
from tests.support.clients import Tenant
from tests.support.everything import everything, row_counts
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row

__all__ = ["everything"]
GIVEN = {
    "kind": "business", "street_address": "123 Main St", "city": "Portland", "state": "Oregon", "postal_code": "97201",
    "country": "US", "company_name": "Tech Corp", "business_type": "Software", "tax_id": "12-3456789",
    "document_type": "NIT", "document_number": "900.1", "emergency_contact_name": "Jo", "emergency_contact_phone": "1",
    "emergency_contact_relationship": "Sister", "preferred_contact_method": "sms", "customer_since": "2019-05-31",
    "notification_preferences": {"newsletter": True, "Très spécial": False},
}  # fmt: skip
READ_ONLY = {
    "subscription_state": "prospect", "is_verified": False, "email_verified_at": None, "total_services": 0,
    "last_service_date": None,
}  # fmt: skip


def test_customer_keeps_every_field_of_the_dossier(acme: Tenant) -> None:
    path = customer(acme, **GIVEN)

    found = shown(acme, path)

    assert {name: found[name] for name in GIVEN} == GIVEN
    assert {name: found[name] for name in READ_ONLY} == READ_ONLY


def test_a_plain_customer_is_an_individual_who_asked_for_nothing(acme: Tenant) -> None:
    found = shown(acme, customer(acme))

    assert (found["kind"], found["notification_preferences"], found["user_id"]) == ("individual", {}, None)


@one_database
@pytest.mark.parametrize(
    ("given", "stored"), [("USA", "US"), ("usa", "US"), ("United States", "US"), ("UK", "GB"), (None, None)]
)
def test_country_may_be_given_by_its_name(acme: Tenant, given: str | None, stored: str | None) -> None:
    assert shown(acme, customer(acme, country=given))["country"] == stored


@one_database
@by_row(
    "values",
    [
        {"kind": "robot"}, {"kind": None}, {"country": "Narnia"}, {"document_type": "library card"},
        {"preferred_contact_method": "pigeon"}, {"customer_since": "31.5.2019"},
        {"notification_preferences": {"a": "yes"}}, {"notification_preferences": {"a": {"b": True}}},
        {"notification_preferences": {str(n): True for n in range(51)}},
        {"notification_preferences": {"x" * 101: True}}, {"notification_preferences": {" ": True}},
        {"notification_preferences": None}, {"notification_preferences": []},
        {"tax_id": "x" * 51}, {"is_verified": True}, {"total_services": 7}, {"user_id": str(uuid7())}, {"user_id": "x"},
    ],
)  # fmt: skip
def test_value_that_does_not_fit_is_named(acme: Tenant, values: Json) -> None:
    created = acme.admin.post("/customers", {"name": "Wile"} | values)
    changed = acme.admin.patch(customer(acme), values)

    assert created.status_code == changed.status_code == 400
    assert list(created.get_json()["errors"]) == list(changed.get_json()["errors"]) == list(values)


# The linked user


def test_a_user_is_linked_to_one_customer_of_the_company(acme: Tenant, globex: Tenant) -> None:
    user = acme.user(first_name="Ada", phone_number="1")
    path = customer(acme, user_id=user.user_id)

    taken = acme.admin.post("/customers", {"name": "Other", "user_id": user.user_id})
    foreign = globex.admin.post("/customers", {"name": "Other", "user_id": user.user_id})
    embedded = shown(acme, f"{path}?expand=user")["user"]

    assert (taken.status_code, list(taken.get_json()["errors"])) == (409, ["user_id"])
    assert (foreign.status_code, list(foreign.get_json()["errors"])) == (400, ["user_id"])
    assert embedded == {
        "id": user.user_id, "email": user.email, "first_name": "Ada", "last_name": None, "phone_number": "1",
        "is_active": True,
    }  # fmt: skip
    assert ids(acme, f"/customers?user_id={user.user_id}") == [path.rpartition("/")[2]]


def test_a_customer_stays_when_its_user_is_deleted(acme: Tenant) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id)
    before = acme.admin.get(path).headers["ETag"]

    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204

    after = acme.admin.get(path)
    assert after.get_json()["user_id"] is None
    assert after.headers["ETag"] != before


@one_database
def test_a_changed_email_is_not_verified_any_more(app: Flask, acme: Tenant) -> None:
    path = customer(acme, email="wile@example.com")
    verified = {"is_verified": True, "email_verified_at": utcnow()}
    with app.app_context(), tenant(acme.company_id), unit_of_work() as session:
        session.execute(update(Customer).where(Customer.id == UUID(path.rpartition("/")[2])).values(verified))

    same = acme.admin.patch(path, {"email": "WILE@example.com", "city": "Bonn"}).get_json()
    other = acme.admin.patch(path, {"email": "coyote@example.com"}).get_json()

    assert (same["is_verified"], same["email_verified_at"] is None) == (True, False)
    assert (other["is_verified"], other["email_verified_at"]) == (False, None)


# Looking


@pytest.mark.parametrize("text", ["TECH", "456789", "oregon-1", "STRASSE"])
def test_search_covers_company_name_tax_id_and_phone_number(acme: Tenant, text: str) -> None:
    values = {"company_name": "Tech Straße", "tax_id": "12-3456789", "phone_number": "Oregon-1"}
    path = customer(acme, **values)
    customer(acme)

    assert [f"/customers/{each}" for each in ids(acme, f"/customers?search={text}")] == [path]


def test_filters_find_by_kind_state_country_town_and_age(acme: Tenant) -> None:
    wanted = customer(acme, kind="business", country="DE", city="Bonn")
    other = customer(acme, country="US", city="bonn")
    created = shown(acme, other)["created_at"]
    first, second = (path.rpartition("/")[2] for path in (wanted, other))

    for query in ("kind=business", "country=Germany", "country=de", "city=Bonn", f"created_before={created}"):
        assert ids(acme, f"/customers?{query}") == [first], query
    assert ids(acme, f"/customers?created_after={created}") == [second]
    assert ids(acme, "/customers?is_verified=false&subscription_state=prospect&created_after=2020-01-01") == [
        first,
        second,
    ]
    assert ids(acme, "/customers?created_before=2020-01-01T00:00:00%2B02:00") == []


@one_database
@by_row("query", ["country=Narnia", "created_after=soon", "created_before=0000-00-00", "is_verified=1"])
def test_filter_that_does_not_fit_is_named(acme: Tenant, query: str) -> None:
    answer = acme.admin.get(f"/customers?{query}")

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [query.partition("=")[0]]


def fill(company: Tenant, path: str) -> None:
    for part, values in PARTS.items():
        company.admin.create(f"{path}/{part}", values)
    company.admin.post(f"{path}/tags/{tag(company)['id']}")


@one_database
def test_the_whole_dossier_costs_six_statements_for_one_customer_and_for_any_page(
    acme: Tenant, statements: Any
) -> None:
    paths = [customer(acme) for _ in range(5)]
    for path in paths:
        fill(acme, path)
    decisions = 5

    with statements() as one:
        item = shown(acme, f"{paths[0]}?expand={EXPANDED}")
    with statements() as two:
        shown(acme, f"/customers?limit=2&expand={EXPANDED}")
    with statements() as all_of_them:
        page = shown(acme, f"/customers?limit=5&expand={EXPANDED}")

    assert len(one) - decisions <= 6
    assert len(two) == len(all_of_them) <= 6 + decisions
    assert page["data"][0] == item
    assert item["addresses"][0]["line1"] == ADDRESS["line1"]
    assert item["contacts"][0]["methods"] == []
    assert [len(each[name]) for each in page["data"] for name in EXPANDED.split(",")] == [1] * 20


@one_database
def test_embedding_needs_the_permission_to_list_what_is_embedded(acme: Tenant) -> None:
    path = customer(acme)
    kinds = {
        "addresses": "customer_address", "contacts": "customer_contact", "tags": "customer_tag", "user": "user",
        "communication_preferences": "communication_preference",
    }  # fmt: skip

    for name, kind in kinds.items():
        without = user_with(acme, "identity:customer:READ", "identity:customer:LIST")
        granted = user_with(acme, "identity:customer:READ", f"identity:{kind}:LIST")
        assert without.get(f"{path}?expand={name}").status_code == 403, name
        assert without.get(f"/customers?expand={name}").status_code == 403, name
        assert granted.get(f"{path}?expand={name}").status_code == 200, name


# Deleting


def test_nothing_of_a_deleted_customer_is_left(acme: Tenant, everything: Any) -> None:
    tag(acme)
    before = row_counts(everything)
    path = customer(acme, email="wile@example.com")
    for part, values in PARTS.items():
        acme.admin.create(f"{path}/{part}", values)
    acme.admin.post(f"{path}/tags/{ids(acme, '/tags')[0]}")
    acme.admin.create(f"{path}/services", SERVICE)
    acme.admin.put(f"{path}/subscription-state", {"state": "active"})

    filled = row_counts(everything)
    answer = acme.admin.delete(path)

    assert answer.status_code == 204
    grown = {name for name, count in filled.items() if count > before[name]} - {"row_count"}
    assert grown == {
        "customer", "customer_address", "customer_contact", "communication_preference", "consent_change",
        "customer_note", "customer_tag", "customer_service", "subscription_change",
    }  # fmt: skip
    assert {name for name in grown if row_counts(everything)[name] != before[name]} == set()
