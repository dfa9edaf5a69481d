"""GET /customers/stats"""

from collections import Counter
from datetime import timedelta
from typing import Any

from flask import Response
from marshmallow import fields
from sqlalchemy import Integer, case, cast, func, select

from app.base.clock import utcnow
from app.core.db.models import db
from app.core.web.body import answer
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.wire.schema import BaseSchema
from app.customers.models import CUSTOMER_KINDS, STATES, Customer
from app.customers.parts.services import CustomerService

RECENT = timedelta(days=30)
NOWHERE = "unknown"


def _counts() -> fields.Dict:
    return fields.Dict(keys=fields.String(), values=fields.Integer(), dump_only=True)


class StatisticsSchema(BaseSchema):
    total = fields.Integer(dump_only=True)
    verified = fields.Integer(dump_only=True)
    new_in_last_30_days = fields.Integer(dump_only=True)
    services_in_last_30_days = fields.Integer(dump_only=True)
    by_kind = _counts()
    by_state = _counts()
    by_country = _counts()


class CustomerStatistics(Endpoint):
    path, permission, operations = "/customers/stats", "customer", {"GET": "LIST"}

    @declare("getCustomerStatistics", answer=StatisticsSchema())
    def get(self) -> Response:
        """Count customers, by kind and by how new they are."""
        return answer(statistics())


def statistics() -> dict[str, Any]:
    """Numbers from two statements; the first groups all customers."""
    since = utcnow() - RECENT
    is_new = case((Customer.created_at >= since, 1), else_=0)
    numbers = (func.count(), func.sum(cast(Customer.is_verified, Integer)), func.sum(is_new))
    groups = (Customer.kind, Customer.subscription_state, Customer.country)
    rows = db.session.execute(select(*groups, *numbers).group_by(*groups)).all()
    recent = select(func.count()).select_from(CustomerService).where(CustomerService.performed_on >= since.date())
    return {
        "total": sum(row[3] for row in rows),
        "verified": sum(row[4] for row in rows),
        "new_in_last_30_days": sum(row[5] for row in rows),
        "services_in_last_30_days": db.session.scalar(recent) or 0,
        "by_kind": dict.fromkeys(CUSTOMER_KINDS, 0) | _sum_by(rows, 0),
        "by_state": dict.fromkeys(STATES, 0) | _sum_by(rows, 1),
        "by_country": _sum_by(rows, 2),
    }


def _sum_by(rows: Any, column: int) -> dict[str, int]:
    """Numbers of customers by one of the grouping columns."""
    numbers: Counter[str] = Counter()
    for row in rows:
        numbers[row[column] or NOWHERE] += row[3]
    return dict(sorted(numbers.items()))
