"""The company row as the lock of its tenant, and what a company holds."""

from __future__ import annotations

from uuid import UUID

from sqlalchemy import Integer, Uuid, column, select, text
from sqlalchemy.orm import Session

from app.base.errors import Forbidden
from app.companies.models import Company
from app.core.db import counts
from app.core.db.models import db

TOTALS = {"user": "total_users", "user.active": "total_active_users"}


class AlreadyInitialized(Forbidden):
    code, message = "ALREADY_INITIALIZED", "The database is already initialized."


def lock_company() -> None:
    """Wait for, and keep out, every other holder of the bound tenant's lock until the transaction ends."""
    db.session.execute(select(Company.id).with_for_update(key_share=True))


def lock_company_shared() -> None:
    """Hold the lock together with other sharers. SQLite needs neither: it has one writer."""
    db.session.execute(select(Company.id).with_for_update(read=True))


def totals_of_companies(session: Session, ids: list[UUID]) -> dict[UUID, dict[str, int]]:
    """Users and active users of each company, in one statement of a platform session."""
    if session.get_bind().dialect.name == "postgresql":
        statement = text("SELECT company_id, counted, total FROM company_totals(:ids)").bindparams(ids=ids)
    else:
        statement = text(
            "SELECT company_id, counted, sum(delta) AS total FROM row_count"
            " WHERE counted IN ('user', 'user.active') GROUP BY company_id, counted"
        )
    rows = session.execute(
        statement.columns(column("company_id", Uuid()), column("counted"), column("total", Integer)),
        execution_options={"unguarded": "counts of each company, read as that company"},
    )
    found: dict[UUID, dict[str, int]] = {company_id: dict.fromkeys(TOTALS.values(), 0) for company_id in ids}
    for company_id, counted, total in rows:
        if company_id in found:
            found[company_id][TOTALS[counted]] = int(total)
    return found


def totals_of_tenant() -> dict[str, int]:
    found = counts.totals_of(db.session(), tuple(TOTALS))
    return {TOTALS[name]: total for name, total in found.items()}


def count_holdings() -> dict[str, int]:
    """How many rows of each counted kind the bound tenant holds."""
    return counts.totals_of(db.session(), counts.counted_tables())
