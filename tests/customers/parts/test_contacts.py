"""What /customers/{id}/contacts adds to a part: methods, one primary, and what a search finds."""

import time
from concurrent.futures import ThreadPoolExecutor
from threading import Event
from typing import Any
from uuid import UUID

from flask import Flask

from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.parts.contacts import CustomerContacts
from app.customers.parts.part import CUSTOMER_IN_TURN
from tests.customers.dossier import CONTACT, Json, customer, ids, rows, shown
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row


def contact(company: Tenant, owner: str, **values: Any) -> str:
    """The path of a new contact."""
    return f"{owner}/contacts/{company.admin.create(f'{owner}/contacts', CONTACT | values)['id']}"


def email(address: str, **values: Any) -> Json:
    return {"kind": "email", "value": address} | values


def found(company: Tenant, text: str) -> list[str]:
    return [f"/customers/{each}" for each in ids(company, f"/customers?search={text}")]


def test_a_contact_has_any_number_of_addresses_and_numbers(acme: Tenant) -> None:
    methods = [email(" Ada@Example.COM ", label="Work", is_primary=True), {"kind": "mobile", "value": "1"}]
    methods += [{"kind": "phone", "value": str(n)} for n in range(20)]

    made = shown(acme, contact(acme, customer(acme), methods=methods))["methods"]

    assert made[0] == {"kind": "email", "value": "ada@example.com", "label": "Work", "is_primary": True}
    assert made[1] == {"kind": "mobile", "value": "1", "label": None, "is_primary": False}
    assert len(made) == 22


@one_database
@by_row(
    "methods",
    [
        [{"kind": "email"}], [{"kind": "pigeon", "value": "1"}], [email("nobody")], [{"kind": "fax", "value": " "}],
        "x", [None], [email("a@example.com", is_primary=True), email("b@example.com", is_primary=True)],
        [email("a@example.com", verified=True)], [{"kind": "phone", "value": "1"}] * 101, None,
    ],
)  # fmt: skip
def test_method_that_does_not_fit_is_refused_in_a_new_contact_and_in_a_change(acme: Tenant, methods: Any) -> None:
    owner = customer(acme)
    path = contact(acme, owner)

    created = acme.admin.post(f"{owner}/contacts", CONTACT | {"methods": methods})
    changed = acme.admin.patch(path, {"methods": methods})

    assert created.status_code == changed.status_code == 400
    assert list(created.get_json()["errors"]) == list(changed.get_json()["errors"]) == ["methods"]


def test_a_new_primary_contact_takes_the_place_of_the_other(acme: Tenant) -> None:
    owner = customer(acme)
    contact(acme, owner, first_name="First", is_primary=True)
    second = contact(acme, owner, first_name="Second")

    acme.admin.patch(second, {"is_primary": True})

    assert [row["first_name"] for row in rows(acme, f"{owner}/contacts") if row["is_primary"]] == ["Second"]


def test_customers_are_found_by_the_names_and_addresses_of_their_contacts(acme: Tenant, globex: Tenant) -> None:
    owner, other = customer(acme), customer(acme)
    path = contact(acme, owner, last_name="Lovelace", methods=[email("countess@example.com")])
    contact(acme, owner, last_name="Byron")
    contact(globex, customer(globex), last_name="Lovelace")

    assert found(acme, "LOVELA") == found(acme, "countess@") == found(acme, "byron") == [owner]
    acme.admin.patch(path, {"last_name": "King", "methods": []})
    assert found(acme, "lovelace") == found(acme, "countess") == []
    assert found(acme, "king") == found(acme, "byron") == [owner]
    acme.admin.delete(path)
    assert found(acme, "king") == []
    assert other not in found(acme, "byron") == [owner]


def test_a_change_of_the_customer_keeps_its_contacts_to_be_found(acme: Tenant) -> None:
    owner = customer(acme)
    before = acme.admin.get(owner).headers["ETag"]
    contact(acme, owner, last_name="Lovelace")

    same = acme.admin.get(owner).headers["ETag"]
    acme.admin.patch(owner, {"name": "Analytical Engines"}, headers={"If-Match": before})

    assert same == before
    assert found(acme, "lovelace") == found(acme, "engines") == [owner]


def test_contacts_themselves_can_be_searched(acme: Tenant) -> None:
    owner = customer(acme)
    wanted = contact(acme, owner, last_name="Lovelace")
    contact(acme, owner, last_name="Byron")

    assert [f"{owner}/contacts/{each}" for each in ids(acme, f"{owner}/contacts?search=love")] == [wanted]


def test_a_contact_that_another_transaction_has_not_committed_yet_is_not_forgotten(app: Flask, acme: Tenant) -> None:
    owner, written = customer(acme), Event()

    def first() -> None:
        customer_id = UUID(owner.rpartition("/")[2])
        with app.app_context(), tenant(acme.company_id), unit_of_work():
            CUSTOMER_IN_TURN.check_exists(customer_id)
            CustomerContacts().create({"first_name": "Lovelace", "customer_id": customer_id})
            written.set()
            time.sleep(0.2)

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(first)
        assert written.wait(10)
        contact(acme, owner, first_name="Byron")
        running.result()

    assert found(acme, "lovelace") == found(acme, "byron") == [owner]
