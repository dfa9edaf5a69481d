"""Rows from before internationalized domains were stored as A-labels: all are found again, or nothing is changed."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import select, update

from app.companies.models import Company
from app.config.settings import ROOT
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs import one_time_links
from app.core.jobs.one_time_links import OneTimeLink
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer
from app.customers.parts.contacts import CustomerContact, refresh_contacts_text
from app.subcontractors.models import Subcontractor
from app.users.links import CHANGE_EMAIL
from app.users.models import LoginKey, User
from tests.customers.merge.merging import merged, undone
from tests.support.clients import PASSWORD, ApiClient, Tenant, make_tenant
from tests.support.databases import Postgres, app_to_migrate

BEFORE, MIGRATIONS = "0011", str(ROOT / "migrations")
UNICODE, ASCII = "eva@münchen.example", "eva@xn--mnchen-3ya.example"
OTHER = "eva@münchen。example"
"""The same mailbox: UTS 46 maps the ideographic full stop to the dot."""
MORE_THAN_A_BATCH = 1001


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Iterator[Flask]:
    with app_to_migrate(request.param, postgres, tmp_path) as found:
        yield found


@pytest.fixture
def companies(app: Flask) -> tuple[Tenant, Tenant]:
    return make_tenant(app, "acme", is_platform=True), make_tenant(app, "globex")


@contextmanager
def rows_of(company: Tenant) -> Iterator[None]:
    """Rows are written without the schemas, as they were before."""
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        yield


def added(company: Tenant, row: Any) -> UUID:
    with rows_of(company):
        db.session.add(row)
        db.session.flush()
        found: UUID = row.id
        return found


def migrate(app: Flask) -> None:
    with app.app_context():
        downgrade(MIGRATIONS, BEFORE)
        upgrade(MIGRATIONS)


def shown(company: Tenant, statement: Any) -> list[Any]:
    with rows_of(company):
        return [tuple(row) for row in db.session.execute(statement)]


# Refusals


def test_two_accounts_of_one_mailbox_stop_it_with_their_ids_and_nothing_is_changed(
    app: Flask, companies: tuple[Tenant, Tenant], caplog: pytest.LogCaptureFixture
) -> None:
    acme, globex = companies
    users = [acme.user(email=UNICODE).user_id, globex.user(email=ASCII).user_id]
    third = globex.user(email=OTHER).user_id
    customers = [added(acme, Customer(name="Eva", email=email)) for email in (OTHER, ASCII)]
    added(acme, Subcontractor(name="Eva", email=UNICODE))

    with pytest.raises(SystemExit):
        migrate(app)

    [message] = [record.getMessage() for record in caplog.records if record.name == "flask_migrate"]
    assert f"users {users[0]} and {users[1]}; users {third} and {users[1]}" in message
    assert f"customers {customers[0]} and {customers[1]}" in message
    assert "@" not in message
    assert shown(acme, select(User.email).where(User.id == UUID(users[0]))) == [(UNICODE,)]
    assert shown(acme, select(Subcontractor.email)) == [(UNICODE,)]


def test_domains_that_idna_refuses_and_other_addresses_stay_as_they_are(
    app: Flask, companies: tuple[Tenant, Tenant]
) -> None:
    acme, _ = companies
    too_long = [f"eva@{'ü.' * 60}example", f"{'e' * 64}@{'ü.' * 25}example"]
    kept = ["eva@ü_b.example", "Eva@example.com", "münchen@example.com", *too_long, None]
    for email in kept:
        added(acme, Subcontractor(name="Eva", email=email))

    migrate(app)

    rows = shown(acme, select(Subcontractor.email, Subcontractor.row_version).order_by(Subcontractor.id))
    assert rows == [(email, 1) for email in kept]


# Accounts


def test_an_account_of_before_signs_in_by_both_spellings_and_stays_the_only_one(
    app: Flask, companies: tuple[Tenant, Tenant]
) -> None:
    acme, globex = companies
    eva = acme.user(email=UNICODE, first_name="Eva")
    anonymous = ApiClient(app)
    assert anonymous.post("/auth/login", {"email": UNICODE, "password": PASSWORD}).status_code == 401

    migrate(app)
    migrate(app)

    for email in (UNICODE, ASCII):
        assert anonymous.post("/auth/login", {"email": email, "password": PASSWORD}).status_code == 200
        body = {"email": email, "password": "lantern-otter-42"}
        assert globex.admin.post("/users", body).status_code == 409
    stored = select(User.email, User.search_text, User.row_version).where(User.id == UUID(eva.user_id))
    assert shown(acme, stored) == [(ASCII, f"{ASCII}\neva", 2)]
    found = shown(acme, select(LoginKey.user_id).where(LoginKey.email_key == ASCII))
    assert found == [(UUID(eva.user_id),)]


def test_a_link_of_before_leads_to_the_address_as_it_is_stored_now(
    app: Flask, companies: tuple[Tenant, Tenant]
) -> None:
    acme, _ = companies
    eva = acme.user()
    with rows_of(acme):
        one_time_links.issue(CHANGE_EMAIL, UUID(eva.user_id), UNICODE, timedelta(hours=1))

    migrate(app)

    assert shown(acme, select(OneTimeLink.address)) == [(ASCII,)]


# Other rows


def test_addresses_of_customers_companies_and_contacts_are_found_and_searched(
    app: Flask, companies: tuple[Tenant, Tenant]
) -> None:
    method = {"kind": "email", "value": UNICODE, "label": None, "is_primary": True}
    phone = method | {"kind": "phone"}
    for company in companies:
        customer_id = added(company, Customer(name="Eva", email=UNICODE))
        for name, methods in (("Eva", [method, phone]), ("Max", [])):
            added(company, CustomerContact(customer_id=customer_id, first_name=name, methods=methods))
        with rows_of(company):
            refresh_contacts_text(customer_id)
            db.session.execute(update(Company).where(Company.id == company.company_id).values(email=UNICODE))

    migrate(app)

    for company in companies:
        [row] = shown(company, select(Customer.email, Customer.search_text, Customer.contacts_text))
        assert row[:2] == (ASCII, f"eva\n{ASCII}")
        assert sorted(row[2].split("\n")) == ["eva", ASCII, "max"]
        contacts = select(CustomerContact.methods, CustomerContact.row_version).order_by(CustomerContact.id)
        assert shown(company, contacts) == [([method | {"value": ASCII}, phone], 2), ([], 1)]
        [row] = shown(company, select(Company.email, Company.search_text).where(Company.id == company.company_id))
        assert row[0] == ASCII
        assert row[1].endswith(ASCII)
        assert company.admin.post("/customers", {"name": "Eva", "email": UNICODE}).status_code == 409


def test_a_table_of_several_batches_is_rewritten_to_its_end(app: Flask, companies: tuple[Tenant, Tenant]) -> None:
    for company in companies:
        with rows_of(company):
            db.session.add_all(Subcontractor(name="Eva", email=UNICODE) for _ in range(MORE_THAN_A_BATCH))

    migrate(app)

    rewritten = select(Subcontractor.email, Subcontractor.search_text, Subcontractor.row_version)
    for company in companies:
        assert shown(company, rewritten) == [(ASCII, f"eva\n{ASCII}", 2)] * MORE_THAN_A_BATCH


def test_a_merge_of_before_is_undone_to_the_addresses_of_now(app: Flask, companies: tuple[Tenant, Tenant]) -> None:
    acme, _ = companies
    target = added(acme, Customer(name="Max"))
    source = added(acme, Customer(name="Eva", email=UNICODE, is_verified=True))
    merged(acme, f"/customers/{target}", f"/customers/{source}")

    migrate(app)

    assert "münchen" not in str(shown(acme, select(CustomerMerge.undo_log)))
    undone(acme, f"/customers/{target}", f"/customers/{source}")
    restored = select(Customer.email, Customer.search_text, Customer.is_verified).where(Customer.id == source)
    assert shown(acme, restored) == [(ASCII, f"eva\n{ASCII}", True)]
