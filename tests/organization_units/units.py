"""Units, and trees of them."""

from typing import Any
from uuid import UUID

from sqlalchemy import insert
from uuid_utils.compat import uuid7

from app.base.text import fold
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.organization_units.models import OrganizationUnit
from tests.support.clients import ApiClient, Tenant

PATH = "/organization_units"
DECISION = 1
Json = dict[str, Any]


def unit(admin: ApiClient, name: str, parent: Json | None = None) -> Json:
    return admin.create(PATH, {"name": name, "parent_id": parent and parent["id"]})


def chain(admin: ApiClient, length: int, parent: Json | None = None) -> list[Json]:
    """Units each below the one before."""
    found: list[Json] = []
    for number in range(length):
        parent = unit(admin, f"level {number}", parent)
        found.append(parent)
    return found


def read(admin: ApiClient, row: Json) -> Json:
    found: Json = admin.get(f"{PATH}/{row['id']}").get_json()
    return found


def etag(admin: ApiClient, path: str) -> str:
    return str(admin.get(path).headers["ETag"])


def plant(company: Tenant, parent: Json, count: int) -> None:
    """``count`` units below a parent, each below the one before up to four levels deep, straight into the table."""
    rows: list[Json] = []
    for number in range(count):
        above = rows[-1] if number % 4 else parent
        rows.append(_planted(company, above, number))
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        db.session.execute(insert(OrganizationUnit), rows, execution_options={"unguarded": "many rows of a test"})


def _planted(company: Tenant, above: Json, number: int) -> Json:
    row_id, name = uuid7(), f"unit {number}"
    return {
        "company_id": company.company_id,
        "id": row_id,
        "name": name,
        "name_key": fold(name),
        "search_text": fold(name),
        "parent_id": UUID(str(above["id"])),
        "path": f"{above['path']}/{row_id}",
        "level": above["level"] + 1,
    }
