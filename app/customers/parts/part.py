"""The common base of the parts of a customer's dossier."""

from collections.abc import Mapping
from typing import Any
from uuid import UUID

from flask import Response, has_request_context
from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, select, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.lookup import Parent, not_found
from app.core.db.models import TenantRecord, belongs_to, db, same_tenant
from app.core.web.body import answer
from app.core.web.default_roles import MANAGED
from app.core.web.principal import principal
from app.core.wire.schema import OwnedSchema, read_only_id
from app.customers.models import Customer

CUSTOMER = Parent(Customer, "customer_id")
CUSTOMER_IN_TURN = Parent(Customer, "customer_id", locked=True)


class CustomerPart(TenantRecord):
    """A row that belongs to one customer and is deleted with it."""

    customer_id: Mapped[UUID] = mapped_column(sort_order=-1)


class CustomerParts(Crud, abstract=True):
    """A collection below a customer. GET answers 307 below a merged customer."""

    parent, default_roles, moved = CUSTOMER, MANAGED, True


class PartSchema(OwnedSchema):
    customer_id = read_only_id()


def caller_id() -> UUID | None:
    """The id of the calling user; None in a command of the operator."""
    return principal().user_id if has_request_context() else None


def below_customer(table: str, *users: str) -> tuple[ForeignKeyConstraint | Index, ...]:
    """Constraints and indexes of a part. ``users`` are its columns with ids of users.

    Each gets an index; without it, the deletion of a user would read the whole table.
    """
    keys = [same_tenant(name, "user") for name in users]
    indexes = [Index(f"ix_{table}_company_id_{name}", "company_id", name) for name in users]
    return (*belongs_to("customer", table), *keys, *indexes)


def one_primary(table: str, *columns: str) -> Index:
    """An index that allows a customer one row with ``is_primary``, or one for each value of the columns."""
    keys = ("company_id", "customer_id", *columns)
    primary = text("is_primary")
    name = f"uq_{table}_{'_'.join(keys)}_primary"
    return Index(name, *keys, unique=True, postgresql_where=primary, sqlite_where=primary)


def demote_primary(model: Any, customer_id: UUID | None, *same: ColumnElement[bool]) -> None:
    """Turn the primary row into an ordinary one. The caller holds the customer's lock."""
    statement = (
        update(model)
        .where(model.customer_id == customer_id, model.is_primary, *same)
        .values(is_primary=False, row_version=model.row_version + 1, updated_at=utcnow())
    )
    db.session.execute(statement.execution_options(synchronize_session=False))


def save(resource: Crud, row: Any, values: Mapping[str, Any]) -> Response:
    """Set columns that clients cannot write, and answer with the row."""
    for name, value in values.items():
        setattr(row, name, value)
    db.session.flush()
    return answer(resource.serialize(row), 200, resource.etag_headers(row))


def get_part(model: Any, customer_id: UUID, id: UUID, *, parent: Parent = CUSTOMER) -> Any:
    """The row, for writing. Raises NotFound, of the customer first."""
    if parent.takes_turns:
        parent.check_exists(customer_id)
    row = db.session.scalar(select(model).where(model.id == id, model.customer_id == customer_id))
    if row is None:
        parent.check_exists(customer_id)
        raise not_found(model)
    return row
