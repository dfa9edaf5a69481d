"""Sessions from before networks were stored."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import select

from app.accounts.auth.models import AuthSession
from app.accounts.auth.sessions import ClientInfo, open_session
from app.config.settings import ROOT
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from tests.support.clients import Tenant, make_tenant
from tests.support.databases import Postgres, app_to_migrate

BEFORE, MIGRATIONS, BATCH = "0007", str(ROOT / "migrations"), 1000
ADDRESSES = ("198.51.100.7", "::ffff:203.0.113.9", "2001:db8:0:1:ffff::7", "unreadable", None)


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Iterator[Flask]:
    with app_to_migrate(request.param, postgres, tmp_path) as found:
        yield found


def sign_in(company: Tenant, *addresses: str | None) -> None:
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        for address in addresses:
            open_session(UUID(company.admin.user_id), ClientInfo(address, None))


def networks(company: Tenant) -> dict[UUID, str | None]:
    """By session."""
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        return {row.id: row.network for row in db.session.execute(select(AuthSession.id, AuthSession.network))}


def test_sessions_of_before_have_the_network_that_a_sign_in_stores(app: Flask) -> None:
    companies = make_tenant(app, "acme", is_platform=True), make_tenant(app, "globex")
    for company in companies:
        sign_in(company, *ADDRESSES)
    stored = [networks(company) for company in companies]

    with app.app_context():
        downgrade(MIGRATIONS, BEFORE)
        upgrade(MIGRATIONS)

    assert {"198.51.100.0/24", "203.0.113.0/24", "2001:db8:0:1::/64", "unknown"} <= set(stored[0].values())
    assert [networks(company) for company in companies] == stored


def test_sessions_beyond_one_batch_have_their_network(app: Flask) -> None:
    company = make_tenant(app, "acme", is_platform=True)
    with app.app_context(), tenant(company.company_id), unit_of_work():
        session = db.session.scalars(select(AuthSession)).first()
        assert session is not None
        values = {"user_id": session.user_id, "expires_at": session.expires_at, "ip": ADDRESSES[0]}
        db.session.add_all(AuthSession(**values) for _ in range(BATCH + 1))

    with app.app_context():
        downgrade(MIGRATIONS, BEFORE)
        upgrade(MIGRATIONS)

    assert list(networks(company).values()).count("198.51.100.0/24") == BATCH + 1
