"""/customers/{id}/subscription-state: the state of a subscription, and its history."""

from typing import Any
from uuid import UUID

from flask import Response
from marshmallow import fields, validate
from sqlalchemy import String, select
from sqlalchemy.orm import Mapped, mapped_column

from app.base.errors import Conflict
from app.core.db.lookup import get_row
from app.core.db.models import Model, db
from app.core.web.body import answer
from app.core.web.declaration import declare
from app.core.web.default_roles import MANAGED
from app.core.web.endpoint import Endpoint
from app.core.wire.schema import BaseSchema, Text, Timestamp, column_field, read_only_id
from app.customers.models import STATES, Customer
from app.customers.parts.part import CustomerPart, CustomerParts, PartSchema, below_customer, caller_id

# Drawn in docs/customers.md.
TRANSITIONS = {
    "prospect": ("trial", "active", "cancelled"),
    "trial": ("active", "suspended", "cancelled"),
    "active": ("past_due", "suspended", "cancelled"),
    "past_due": ("active", "suspended", "cancelled"),
    "suspended": ("active", "cancelled"),
    "cancelled": ("prospect", "active"),
}


class TransitionNotAllowed(Conflict):
    code, message = "TRANSITION_NOT_ALLOWED", "The subscription cannot take this state now."


class SubscriptionChange(CustomerPart, Model):
    """One step from a state to another."""

    __tablename__ = "subscription_change"
    __table_args__ = below_customer("subscription_change")

    old_state: Mapped[str] = mapped_column(String(10))
    new_state: Mapped[str] = mapped_column(String(10))
    reason: Mapped[str | None] = mapped_column(String(500))
    # No foreign key: the record keeps the id of a deleted user.
    changed_by: Mapped[UUID | None]


class SubscriptionChangeSchema(PartSchema):
    old_state = Text(dump_only=True)
    new_state = Text(dump_only=True)
    reason = Text(dump_only=True, allow_none=True)
    changed_by = read_only_id(allow_none=True)


class NewStateSchema(BaseSchema):
    state = fields.String(required=True, validate=validate.OneOf(STATES))
    reason = column_field(SubscriptionChange.reason)


class SubscriptionSchema(BaseSchema):
    """``allowed`` lists the states that can follow. The other fields are of the last change, or null."""

    state = fields.String(dump_only=True)
    allowed = fields.List(fields.String(), dump_only=True)
    reason = Text(dump_only=True, allow_none=True)
    changed_at = Timestamp(allow_none=True)
    changed_by = read_only_id(allow_none=True)


class SubscriptionState(Endpoint):
    path, permission, item = "/customers/<customer_id>/subscription-state", "customer_subscription", "customer_id"
    default_roles, moved = MANAGED, True
    bodies = {"PUT": NewStateSchema()}

    @declare("getSubscriptionState", answer=SubscriptionSchema())
    def get(self, customer_id: UUID) -> Response:
        """Get the state of a customer's subscription, and the states that can follow."""
        return answer(_subscription(get_row(Customer, customer_id)))

    @declare("changeSubscriptionState", body=NewStateSchema(), answer=SubscriptionSchema(), errors=(409,))
    def put(self, customer_id: UUID) -> Response:
        """Change the state of a customer's subscription. The present state changes nothing."""
        customer, values = get_row(Customer, customer_id), self.body()
        if values["state"] != customer.subscription_state:
            change_state(customer, values["state"], values.get("reason"))
        return answer(_subscription(customer))


class SubscriptionHistory(CustomerParts):
    """Changes of the state of a customer's subscription."""

    nouns = ("subscription change", "subscription changes")
    model, schema = SubscriptionChange, SubscriptionChangeSchema
    path, permission = f"{SubscriptionState.path}/history", SubscriptionState.permission
    verbs = ("list",)


def change_state(customer: Customer, state: str, reason: str | None) -> None:
    """Raises TransitionNotAllowed."""
    old = customer.subscription_state
    if state not in TRANSITIONS[old]:
        allowed = ", ".join(TRANSITIONS[old])
        raise TransitionNotAllowed(f"From {old} a subscription can become: {allowed}.")
    customer.subscription_state = state
    values = {"old_state": old, "new_state": state, "reason": reason}
    db.session.add(SubscriptionChange(customer_id=customer.id, changed_by=caller_id(), **values))
    db.session.flush()


def _subscription(customer: Customer) -> dict[str, Any]:
    columns = (SubscriptionChange.reason, SubscriptionChange.created_at, SubscriptionChange.changed_by)
    newest_first = SubscriptionChange.created_at.desc(), SubscriptionChange.id.desc()
    changes = select(*columns).where(SubscriptionChange.customer_id == customer.id).order_by(*newest_first)
    reason, changed_at, changed_by = db.session.execute(changes.limit(1)).one_or_none() or (None, None, None)
    last_change = {"reason": reason, "changed_at": changed_at, "changed_by": changed_by}
    state = customer.subscription_state
    return {"state": state, "allowed": TRANSITIONS[state], **last_change}
