"""Where a customer that was merged into another is found: asked when it is not there, and at no other time."""

from __future__ import annotations

from uuid import UUID

from flask import Response, current_app, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.base.errors import Conflict
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.web.endpoint import UNSAFE
from app.core.web.principal import principal
from app.core.web.problems import render
from app.customers.errors import CustomerMerged, CustomerNotFound
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer


def survivor_of(customer_id: UUID) -> UUID | None:
    """Into whom the customer was merged, however often since. Inside the tenant's unit of work."""
    return db.session.scalar(select(CustomerMerge.customer_id).where(CustomerMerge.id == customer_id))


def merged_into(survivor_id: UUID) -> CustomerMerged:
    return CustomerMerged(f"The customer was merged into {survivor_id}.")


def not_found(error: CustomerNotFound) -> Response:
    """The handler: 307 to the survivor for who reads, 409 for who writes, 404 where nothing was merged."""
    named = _named()
    try:
        with company_transaction(principal().company_id, writes=False):
            found = None if named is None else _now_at(UUID(named))
    except SQLAlchemyError as failure:
        # What a handler raises would be answered as a bug.
        return current_app.handle_user_exception(failure)  # type: ignore[return-value]
    if named is None or found is None:
        return render(error)
    if request.method in UNSAFE:
        return render(Conflict() if found == UUID(named) else merged_into(found))
    return Response(status=307, headers={"Location": _moved(named, found), "Cache-Control": "no-store"})


def _now_at(customer_id: UUID) -> UUID | None:
    """The survivor; or the customer itself, if a merge was undone since it was looked for."""
    return survivor_of(customer_id) or db.session.scalar(select(Customer.id).where(Customer.id == customer_id))


def _named() -> str | None:
    """The customer's id as the path has it."""
    path = request.view_args or {}
    return path.get("customer_id") or path.get("id")


def _moved(named: str, survivor_id: UUID) -> str:
    """The same path below the survivor: its parts moved with it."""
    path = f"{request.script_root}{request.path.replace(named, str(survivor_id), 1)}"
    query = request.query_string.decode("ascii", "replace")
    return f"{path}?{query}" if query else path
