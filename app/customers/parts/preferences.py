"""/customers/{id}/communication-preferences, and the history of their changes."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from flask import Response, has_request_context, request
from marshmallow import fields, validate
from sqlalchemy import ColumnElement, Index, String, UniqueConstraint, select
from sqlalchemy.orm import Mapped, aliased, mapped_column

from app.base.clock import utcnow
from app.base.errors import Invalid
from app.core.db.models import JsonDocument, Model, db
from app.core.wire.schema import BaseSchema, Flag, Text, Timestamp, column_field, read_only_id
from app.customers.parts.part import (
    CUSTOMER_IN_TURN,
    CustomerPart,
    CustomerParts,
    PartSchema,
    below_customer,
    caller_id,
)

CHANNELS = ("email", "sms", "phone", "post", "push")
TOPICS = ("billing", "service", "outage", "marketing", "survey")
FREQUENCIES = ("immediate", "daily", "weekly")
CONSENT = ("opted_in", "frequency", "source")


class CommunicationPreference(CustomerPart, Model):
    """``consented_at`` is null while the customer is opted out."""

    __tablename__ = "communication_preference"
    __table_args__ = (
        *below_customer("communication_preference", "changed_by"),
        UniqueConstraint("company_id", "customer_id", "channel", "topic"),
    )

    channel: Mapped[str] = mapped_column(String(10))
    topic: Mapped[str] = mapped_column(String(10))
    opted_in: Mapped[bool]
    frequency: Mapped[str] = mapped_column(String(10), default="immediate")
    source: Mapped[str | None] = mapped_column(String(100))
    consented_at: Mapped[datetime | None]
    changed_by: Mapped[UUID | None]

    @property
    def consent(self) -> dict[str, Any]:
        return {name: getattr(self, name) for name in CONSENT}


class ConsentChange(CustomerPart, Model):
    """Proof of one change, kept after the preference: ``old`` is null for a first consent, ``new`` for a deletion."""

    __tablename__ = "consent_change"
    __table_args__ = (
        *below_customer("consent_change"),
        Index(
            "ix_consent_change_company_id_customer_id_channel_topic", "company_id", "customer_id", "channel", "topic"
        ),
    )

    channel: Mapped[str] = mapped_column(String(10))
    topic: Mapped[str] = mapped_column(String(10))
    # No foreign key: the record keeps the id of a deleted user.
    changed_by: Mapped[UUID | None]
    ip_address: Mapped[str | None] = mapped_column(String(45))
    old: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)
    new: Mapped[dict[str, Any] | None] = mapped_column(JsonDocument)


class PreferenceSchema(PartSchema):
    example = {"channel": "post", "topic": "survey", "opted_in": True}
    channel = column_field(CommunicationPreference.channel, required=True, validate=[validate.OneOf(CHANNELS)])
    topic = column_field(CommunicationPreference.topic, required=True, validate=[validate.OneOf(TOPICS)])
    opted_in = Flag(required=True)
    frequency = column_field(CommunicationPreference.frequency, validate=[validate.OneOf(FREQUENCIES)])
    source = column_field(CommunicationPreference.source)
    consented_at = Timestamp(allow_none=True)
    changed_by = read_only_id(allow_none=True)


class ConsentSchema(BaseSchema):
    opted_in = Flag(dump_only=True)
    frequency = Text(dump_only=True)
    source = Text(dump_only=True, allow_none=True)


class ConsentChangeSchema(BaseSchema):
    id = read_only_id()
    channel = Text(dump_only=True)
    topic = Text(dump_only=True)
    created_at = Timestamp()
    changed_by = read_only_id(allow_none=True)
    ip_address = Text(dump_only=True, allow_none=True)
    old = fields.Nested(ConsentSchema, dump_only=True, allow_none=True)
    new = fields.Nested(ConsentSchema, dump_only=True, allow_none=True)


class CommunicationPreferences(CustomerParts):
    """Messages that a customer accepts, by channel and topic."""

    model, schema = CommunicationPreference, PreferenceSchema
    path = "/customers/<customer_id>/communication-preferences"
    permission, parent = "communication_preference", CUSTOMER_IN_TURN
    filters = ("channel", "topic", "opted_in")

    def create(self, values: dict[str, Any]) -> CommunicationPreference:
        consented_at = utcnow() if values["opted_in"] else None
        row: CommunicationPreference = super().create(
            values | {"consented_at": consented_at, "changed_by": caller_id()}
        )
        record_consent(row, None, row.consent)
        return row

    def change(self, row: CommunicationPreference, values: dict[str, Any]) -> None:
        _check_unchanged(row, values)
        old = row.consent
        new = old | {name: values[name] for name in CONSENT if name in values}
        if new == old:
            return
        if new["opted_in"] != old["opted_in"]:
            values |= {"consented_at": utcnow() if new["opted_in"] else None}
        super().change(row, values | {"changed_by": caller_id()})
        record_consent(row, old, new)

    def remove(self, row: CommunicationPreference) -> None:
        super().remove(row)
        record_consent(row, row.consent, None)


def _check_unchanged(row: CommunicationPreference, values: dict[str, Any]) -> None:
    """Consent to one topic cannot become consent to another. Raises Invalid."""
    changed = [name for name in ("channel", "topic") if values.get(name, getattr(row, name)) != getattr(row, name)]
    if changed:
        raise Invalid(errors={name: ["Cannot be changed: make another preference."] for name in changed})


def record_consent(row: CommunicationPreference, old: dict[str, Any] | None, new: dict[str, Any] | None) -> None:
    """``old`` and ``new`` are None for no preference."""
    ip_address = request.remote_addr if has_request_context() else None
    subject = {name: getattr(row, name) for name in ("customer_id", "channel", "topic")}
    db.session.add(ConsentChange(**subject, changed_by=caller_id(), ip_address=ip_address, old=old, new=new))
    db.session.flush()


def differing_preferences(customer_id: UUID, other_id: UUID) -> Sequence[Sequence[CommunicationPreference]]:
    """Pairs of both customers' preferences for the same messages, with different consent. Rows are read anew."""
    first, second = aliased(CommunicationPreference), aliased(CommunicationPreference)
    is_same = first.company_id == second.company_id, first.channel == second.channel, first.topic == second.topic
    pairs = select(first, second).where(first.customer_id == customer_id, second.customer_id == other_id, *is_same)
    pairs = pairs.order_by(first.id)
    rows = db.session.execute(pairs.execution_options(populate_existing=True)).all()
    return [pair for pair in rows if pair[0].consent != pair[1].consent]


class ConsentHistory(CustomerParts):
    """Every change of one preference, with its user, time and address."""

    nouns = ("consent change", "consent changes")
    model, schema = ConsentChange, ConsentChangeSchema
    path = f"{CommunicationPreferences.path}/<preference_id>/history"
    permission, sort = CommunicationPreferences.permission, ("created_at",)
    verbs = ("list",)

    def get(self, id: UUID | None = None, **above: UUID) -> Response:
        self.preference = CommunicationPreferences().find_part(above["customer_id"], above["preference_id"])
        return super().get(id, **above)

    def base_filter(self, parent_id: UUID | None) -> tuple[ColumnElement[bool], ...]:
        """By channel and topic: a preference that was deleted and created again keeps its history."""
        same = ConsentChange.channel == self.preference.channel, ConsentChange.topic == self.preference.topic
        return (ConsentChange.customer_id == parent_id, *same)
