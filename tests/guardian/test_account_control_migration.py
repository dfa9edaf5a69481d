"""Companies from before the control of accounts had a permission of its own."""

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import pytest
from flask import Flask
from flask_migrate import downgrade, upgrade
from sqlalchemy import select

from app.config.settings import ROOT
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.guardian.models import PolicyPermission, RolePolicy, permission_id
from tests.support.clients import Tenant, make_tenant
from tests.support.databases import Postgres, app_to_migrate
from tests.support.roles import CONTROL, role_id, role_with

BEFORE, MIGRATIONS = "0009", str(ROOT / "migrations")


@pytest.fixture(params=["sqlite", "postgresql"])
def app(request: pytest.FixtureRequest, postgres: Postgres, tmp_path: Path) -> Iterator[Flask]:
    with app_to_migrate(request.param, postgres, tmp_path) as found:
        yield found


def controls(company: Tenant, role: str) -> bool:
    held = (
        select(PolicyPermission)
        .join(RolePolicy, RolePolicy.policy_id == PolicyPermission.policy_id)
        .where(RolePolicy.role_id == UUID(role), PolicyPermission.permission_id == permission_id(*CONTROL.split(":")))
    )
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        return db.session.scalar(held) is not None


def test_whoever_changed_accounts_goes_on_doing_so_and_nobody_else_begins(app: Flask) -> None:
    roles = {}
    for company in (make_tenant(app, "acme", is_platform=True), make_tenant(app, "globex")):
        named = {each: role_with(company, each) for each in ("guardian:user_role:DELETE", "identity:customer:UPDATE")}
        named |= {each: role_id(company, each) for each in ("manager", "viewer")} | {
            CONTROL: role_with(company, CONTROL)
        }
        roles[company.company_id] = company, named

    with app.app_context():
        downgrade(MIGRATIONS, BEFORE)
        upgrade(MIGRATIONS)

    for company, named in roles.values():
        assert {each: controls(company, role) for each, role in named.items()} == {
            "guardian:user_role:DELETE": True,
            "identity:customer:UPDATE": False,
            "manager": True,
            "viewer": False,
            CONTROL: False,
        }


def test_a_catalogue_that_was_synchronized_before_the_migration_stays(app: Flask) -> None:
    company = make_tenant(app, "acme", is_platform=True)
    role = role_with(company, "guardian:user_role:DELETE")

    with app.app_context():
        downgrade(MIGRATIONS, BEFORE)
    assert app.test_cli_runner().invoke(args=["guardian", "sync"]).exit_code == 0
    with app.app_context():
        upgrade(MIGRATIONS)

    assert controls(company, role)
