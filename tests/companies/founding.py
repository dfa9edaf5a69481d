"""Companies that are complete, or hold something."""

from typing import Any

from sqlalchemy import Table, func, insert, select

from app.core.db.models import Model, db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from tests.support.clients import PASSWORD, ApiClient, Tenant, unique
from tests.support.declared import owner_of, synthetic_row, tenant_tables
from tests.support.pictures import picture, upload

PATH = "/companies"
Json = dict[str, Any]


def item(company: Tenant) -> str:
    return f"{PATH}/{company.company_id}"


def names(client: ApiClient, query: str = "") -> set[str]:
    return {row["name"] for row in client.get(f"{PATH}{query}").get_json()["data"]}


def fill(company: Tenant) -> None:
    """One row or more of everything that a company can hold."""
    admin = company.admin
    unit = admin.create("/organization_units", {"name": unique("unit")})
    position = admin.create("/positions", {"title": "Lead", "organization_unit_id": unit["id"]})
    admin.create("/users", {"email": f"{unique('p')}@example.com", "password": PASSWORD, "position_id": position["id"]})
    admin.create("/customers", {"name": "Customer"})
    assert upload(admin, f"/users/{admin.user_id}/avatar", picture()).status_code == 201
    admin.create("/subcontractors", {"name": "Subcontractor"})
    complete(company)


def complete(company: Tenant) -> None:
    """A row in every table that is still empty, behind the service's back."""
    there: dict[str, Json] = {}
    for table in tenant_tables():
        own = select(table).where(owner_of(table) == company.company_id).limit(1)
        there[table.name] = _first(company, own) or _put(company, table, there)


def _first(company: Tenant, statement: Any) -> Json | None:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False) as session:
        row = session.execute(statement, execution_options={"unguarded": "a test"}).mappings().first()
    return dict(row) if row else None


def _put(company: Tenant, table: Table, there: dict[str, Json]) -> Json:
    with company.app.app_context(), tenant(company.company_id):
        row = synthetic_row(table, company.company_id, there)
        with unit_of_work() as session:
            session.execute(insert(table).values(row), execution_options={"unguarded": "a test"})
    return row


def tenant_rows(company: Tenant) -> dict[str, int]:
    """How many rows each table has of the company, as far as it has any."""
    found: dict[str, int] = {}
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        for table in Model.metadata.sorted_tables:
            column = table.c.id if table.name == "company" else table.c.get("company_id")
            if column is not None:
                statement = select(func.count()).select_from(table).where(column == company.company_id)
                options = {"unguarded": "every table of a test"}
                found[table.name] = db.session.execute(statement, execution_options=options).scalar_one()
    return found
