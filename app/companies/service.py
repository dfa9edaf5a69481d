"""The company's row as the lock of its tenant, and the numbers of its rows."""

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
    """Hold the bound tenant's lock alone, until the transaction ends."""
    db.session.execute(select(Company.id).with_for_update(key_share=True))


def lock_company_shared() -> None:
    """Share the lock with others of this kind. SQLite needs no locks: it has one writer."""
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
    totals: dict[UUID, dict[str, int]] = {company_id: dict.fromkeys(TOTALS.values(), 0) for company_id in ids}
    for company_id, counted, total in rows:
        if company_id in totals:
            totals[company_id][TOTALS[counted]] = int(total)
    return totals


def totals_of_tenant() -> dict[str, int]:
    totals = counts.totals_of(db.session(), tuple(TOTALS))
    return {TOTALS[name]: total for name, total in totals.items()}


def count_holdings() -> dict[str, int]:
    """The number of rows of the bound tenant in each counted table."""
    return counts.totals_of(db.session(), counts.counted_tables())
