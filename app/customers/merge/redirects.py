"""Redirects of merged customers, looked up only before a 404."""

from uuid import UUID

from flask import Response, current_app, request
from sqlalchemy import select
from sqlalchemy.exc import SQLAlchemyError

from app.base.errors import Conflict
from app.core.db.models import db
from app.core.db.transaction import company_transaction
from app.core.web.endpoint import UNSAFE_METHODS
from app.core.web.principal import principal
from app.core.web.problems import render
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer, CustomerNotFound


class CustomerMerged(Conflict):
    code, message = "CUSTOMER_MERGED", "The customer was merged into another."


def survivor_of(customer_id: UUID) -> UUID | None:
    """The customer that has the parts now, after any number of merges. Inside the tenant's unit of work."""
    return db.session.scalar(select(CustomerMerge.customer_id).where(CustomerMerge.id == customer_id))


def merged_into(survivor_id: UUID) -> CustomerMerged:
    return CustomerMerged(f"The customer was merged into {survivor_id}.")


def render_missing_customer(error: CustomerNotFound) -> Response:
    """The error handler: 307 to the survivor for a read, 409 for a write, 404 without a merge."""
    ids = request.view_args or {}
    id_in_path = ids.get("customer_id") or ids.get("id")
    if id_in_path is None:
        return render(error)
    try:
        with company_transaction(principal().company_id, writes=False):
            survivor_id = _find_present_id(UUID(id_in_path))
    except SQLAlchemyError as failure:
        # An exception raised in a handler would be answered as a bug.
        return current_app.handle_user_exception(failure)  # type: ignore[return-value]
    if survivor_id is None:
        return render(error)
    if request.method in UNSAFE_METHODS:
        return render(Conflict() if survivor_id == UUID(id_in_path) else merged_into(survivor_id))
    return Response(status=307, headers={"Location": _location(id_in_path, survivor_id), "Cache-Control": "no-store"})


def _find_present_id(customer_id: UUID) -> UUID | None:
    """The survivor, or the customer itself if its merge was undone a moment ago."""
    return survivor_of(customer_id) or db.session.scalar(select(Customer.id).where(Customer.id == customer_id))


def _location(id_in_path: str, survivor_id: UUID) -> str:
    """The same path below the survivor, which has the parts now."""
    path = f"{request.script_root}{request.path.replace(id_in_path, str(survivor_id), 1)}"
    query = request.query_string.decode("ascii", "replace")
    return f"{path}?{query}" if query else path
