"""The common base of the parts of a customer's dossier."""

from collections.abc import Callable
from typing import Any, ClassVar
from uuid import UUID

from flask import Response, has_request_context
from sqlalchemy import ColumnElement, ForeignKeyConstraint, Index, text, update
from sqlalchemy.orm import Mapped, mapped_column

from app.base.clock import utcnow
from app.core.crud.crud import Crud
from app.core.db.lookup import Parent
from app.core.db.models import TenantRecord, belongs_to, same_tenant
from app.core.db.transaction import execute_and_count
from app.core.web.default_roles import MANAGED
from app.core.web.principal import principal
from app.core.wire.schema import OwnedSchema, read_only_id
from app.customers.models import Customer

Values = dict[str, Any]

CUSTOMER = Parent(Customer, "customer_id")
CUSTOMER_IN_TURN = Parent(Customer, "customer_id", locked=True)


class CustomerPart(TenantRecord):
    """A row that belongs to one customer and is deleted with it."""

    customer_id: Mapped[UUID] = mapped_column(sort_order=-1)


class CustomerParts(Crud, abstract=True):
    """A collection below a customer. GET answers 307 below a merged customer."""

    parent, default_roles, moved = CUSTOMER, MANAGED, True

    def find_part(self, customer_id: UUID, id: UUID) -> Any:
        """The row, for writing. Raises NotFound, of the customer first."""
        self.parent_id = customer_id
        return self.find_row(id)

    def record_verdict(self, customer_id: UUID, id: UUID, columns_of: Callable[[], Values]) -> Response:
        """Set the columns, which follow from the request's body, past ``change``, which withdraws verdicts."""
        row = self.find_part(customer_id, id)
        columns = columns_of()
        self.check_version(row)
        super().change(row, columns)
        return self.respond(row)


class PartsWithPrimary(CustomerParts, abstract=True):
    """At most one row of a customer is primary, or one for each value of the columns ``primary_by``."""

    parent = CUSTOMER_IN_TURN
    primary_by: ClassVar[tuple[str, ...]] = ()

    def create(self, values: Values) -> Any:
        if values.get("is_primary"):
            self._demote_primary(values)
        return super().create(values)

    def change(self, row: Any, values: Values) -> None:
        if values.get("is_primary", row.is_primary):
            present = {name: getattr(row, name) for name in ("customer_id", *self.primary_by)}
            self._demote_primary(present | values, self.model.id != row.id)
        super().change(row, values)

    def _demote_primary(self, values: Values, *others: ColumnElement[bool]) -> None:
        """Turn the primary row into an ordinary one. The customer is locked."""
        model = self.model
        same = [getattr(model, name) == values[name] for name in ("customer_id", *self.primary_by)]
        demoted = {"is_primary": False, "row_version": model.row_version + 1, "updated_at": utcnow()}
        execute_and_count(update(model).where(model.is_primary, *same, *others).values(demoted))


class PartSchema(OwnedSchema):
    customer_id = read_only_id()


def caller_id() -> UUID | None:
    """The id of the calling user; None in a command of the operator."""
    return principal().user_id if has_request_context() else None


def below_customer(table: str, *users: str) -> tuple[ForeignKeyConstraint | Index, ...]:
    """Constraints and indexes of a part. Columns of ``users`` are indexed for the deletion of a user."""
    keys = [same_tenant(name, "user") for name in users]
    indexes = [Index(f"ix_{table}_company_id_{name}", "company_id", name) for name in users]
    return (*belongs_to("customer", table), *keys, *indexes)


def one_primary(table: str, *columns: str) -> Index:
    """An index that allows a customer one row with ``is_primary``, or one for each value of the columns."""
    keys = ("company_id", "customer_id", *columns)
    primary = text("is_primary")
    name = f"uq_{table}_{'_'.join(keys)}_primary"
    return Index(name, *keys, unique=True, postgresql_where=primary, sqlite_where=primary)
