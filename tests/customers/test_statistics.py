"""GET /customers/stats"""

from datetime import UTC, datetime, timedelta
from typing import Any

from flask import Flask
from sqlalchemy import update

from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.models import Customer
from tests.customers.dossier import SERVICE, customer, shown
from tests.support.clients import Tenant
from tests.support.roles import user_with


def test_every_customer_of_the_company_is_counted_once(app: Flask, acme: Tenant, globex: Tenant) -> None:
    customer(globex, country="DE")
    firm, person = customer(acme, kind="business", country="DE"), customer(acme, country="Germany")
    customer(acme)
    acme.admin.put(f"{firm}/subscription-state", {"state": "active"})
    today, long_ago = datetime.now(UTC).date().isoformat(), "2020-01-01"
    for day in (today, today, long_ago):
        acme.admin.create(f"{firm}/services", SERVICE | {"performed_on": day})
    old = {"created_at": datetime.now(UTC) - timedelta(days=31), "is_verified": True}
    name = shown(acme, person)["name"]
    with app.app_context(), tenant(acme.company_id), unit_of_work() as session:
        session.execute(update(Customer).where(Customer.name == name).values(old))

    found = shown(acme, "/customers/stats")

    assert found == {
        "total": 3,
        "verified": 1,
        "new_in_last_30_days": 2,
        "services_in_last_30_days": 2,
        "by_kind": {"individual": 2, "business": 1},
        "by_state": {"prospect": 2, "trial": 0, "active": 1, "past_due": 0, "suspended": 0, "cancelled": 0},
        "by_country": {"DE": 2, "unknown": 1},
    }


def test_an_empty_company_has_zeros_and_three_statements_are_enough(acme: Tenant, statements: Any) -> None:
    decision = 1

    with statements() as sent:
        found = shown(acme, "/customers/stats")

    assert (found["total"], found["verified"], found["by_country"]) == (0, 0, {})
    assert len(sent) <= 3 + decision


def test_statistics_need_the_permission_to_list_customers(acme: Tenant) -> None:
    assert user_with(acme, "identity:customer:READ").get("/customers/stats").status_code == 403
    assert user_with(acme, "identity:customer:LIST").get("/customers/stats").status_code == 200
