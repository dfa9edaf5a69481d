"""Merges one customer into another, and records how to undo it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property
from typing import Any
from uuid import UUID

from sqlalchemy import select

from app.base.clock import utcnow
from app.base.errors import Invalid
from app.core.db.lookup import not_found
from app.core.db.mode import is_writing
from app.core.db.models import db
from app.core.db.reparent import SOURCE, TARGET, ReferringColumn, Sides, UniqueRule, referring_columns
from app.core.db.row_json import Json, read_rows, to_json
from app.core.jobs import one_time_links
from app.core.jobs.outbox import enqueue
from app.customers.merge.models import CustomerMerge
from app.customers.merge.redirects import merged_into, survivor_of
from app.customers.models import Customer
from app.customers.parts.contacts import refresh_contacts_text
from app.customers.parts.part import caller_id
from app.customers.parts.preferences import CommunicationPreference, differing_preferences, record_consent
from app.customers.parts.services import CustomerService
from app.customers.schemas import CustomerSchema
from app.customers.verification.service import PURPOSE, address_of, user_of

UNDO_WITHIN = timedelta(days=30)
FORGET = "customers.forget_merge"
FIELDS = tuple(CustomerSchema().load_fields)
VERIFICATION_FIELDS = ("is_verified", "email_verified_at")


@dataclass(frozen=True)
class ClashingRows:
    """Pairs of rows, one of each customer, that a unique key does not allow side by side."""

    reference: ReferringColumn
    rule: UniqueRule
    rows: list[tuple[UUID, UUID]]

    def describe(self, winner: str) -> Iterator[Json]:
        conflict = {"kind": self.reference.name, "field": self.rule.flag or ", ".join(self.rule.same), "winner": winner}
        for target, source in self.rows:
            yield conflict | {"target": str(target), "source": str(source)}


@dataclass
class Merge:
    """``choices`` maps fields of the customer and kinds of parts to the side that wins."""

    target: Customer
    source: Customer
    choices: Mapping[str, str]

    @property
    def sides(self) -> Sides:
        return Sides(self.target.id, self.source.id)

    @cached_property
    def references(self) -> list[ReferringColumn]:
        return referring_columns(Customer)

    @cached_property
    def clashing_rows(self) -> list[ClashingRows]:
        candidates = (
            ClashingRows(reference, rule, list(reference.clashes(rule, self.sides)))
            for reference in self.references
            for rule in reference.rules
        )
        return [candidate for candidate in candidates if candidate.rows]

    def winner(self, name: str) -> str:
        return self.choices.get(name, TARGET)

    @cached_property
    def field_changes(self) -> Json:
        """New values of the survivor's fields. Without a choice, the source only fills empty ones."""
        changes = {}
        for name, target_value, source_value in self._fields():
            side = self.choices.get(name, TARGET if target_value else SOURCE)
            if side == SOURCE and target_value != source_value:
                changes[name] = source_value
        return changes | self._verification(changes)

    def _fields(self) -> Iterator[tuple[str, Any, Any]]:
        """Names of fields, each with the values of the target and of the source."""
        return ((name, getattr(self.target, name), getattr(self.source, name)) for name in FIELDS)

    def _verification(self, changes: Json) -> Json:
        """An address from the source keeps the source's verification. A linked user stands for the user's address."""
        user_id, email = (changes.get(name, getattr(self.target, name)) for name in ("user_id", "email"))
        address = user_id or email
        if address == (self.target.user_id or self.target.email):
            return {}
        if address != (self.source.user_id or self.source.email):
            return {"is_verified": False, "email_verified_at": None}
        return {name: getattr(self.source, name) for name in VERIFICATION_FIELDS}

    @property
    def conflicts(self) -> list[Json]:
        """Fields and parts that both sides have, each with the side that wins."""
        conflicts = list(self._field_conflicts())
        for clashing in self.clashing_rows:
            conflicts += clashing.describe(self.winner(clashing.reference.name))
        return conflicts

    def _field_conflicts(self) -> Iterator[Json]:
        for name, target_value, source_value in self._fields():
            if target_value and source_value and target_value != source_value:
                values = to_json({"target": target_value, "source": source_value})
                yield {"kind": "customer", "field": name, "winner": self.winner(name), **values}

    def moved_counts(self) -> Json:
        """The number of rows of each kind that a merge would move."""
        counts = {reference.name: reference.count(self.source.id) for reference in self.references}
        return {
            name: count - (self._count_removed(name) if self.winner(name) == TARGET else 0)
            for name, count in counts.items()
        }

    def _count_removed(self, name: str) -> int:
        """The number of rows of a kind that a merge deletes, all of them of the losing side."""
        side = 1 if self.winner(name) == TARGET else 0
        groups = [group for group in self.clashing_rows if group.reference.name == name and not group.rule.flag]
        return len({pair[side] for group in groups for pair in group.rows})

    def service_totals(self) -> Json:
        """Each service counts once."""
        days = [customer.last_service_date for customer in (self.target, self.source) if customer.last_service_date]
        total = self.target.total_services + self.source.total_services
        total -= self._count_removed(CustomerService.__tablename__)
        return {"total_services": total, "last_service_date": max(days, default=None)}

    def execute(self) -> tuple[CustomerMerge, Json]:
        """The merge, and the number of rows of each kind that were moved."""
        values, services = self.field_changes, self.service_totals()
        undo_log = self._begin_log(values, services)
        self._record_consent()
        for reference in self.references:
            rules = [clashing.rule for clashing in self.clashing_rows if clashing.reference == reference]
            undo_log["parts"][reference.name] = reference.move(self.sides, self.winner(reference.name), rules)
        for customer_id in self.sides:
            one_time_links.revoke(PURPOSE, customer_id)
        self._unite(values | services)
        return self._record(undo_log), {name: len(part["moved"]) for name, part in undo_log["parts"].items()}

    def _begin_log(self, values: Json, services: Json) -> Json:
        """The undo log, without the parts."""
        gained = services["total_services"] - self.target.total_services
        return {
            "customer": read_rows(Customer, Customer.id == self.source.id)[0],
            "services": {"gained": gained, **to_json({"last_service_date": self.target.last_service_date})},
            "before": to_json({name: getattr(self.target, name) for name in values}),
            "after": to_json(values),
            "addresses": [address_of(customer, user_of(customer)) for customer in (self.target, self.source)],
            "parts": {},
        }

    def _record_consent(self) -> None:
        """A preference of the source that replaces the survivor's changes the survivor's consent."""
        if self.winner(CommunicationPreference.__tablename__) == SOURCE:
            for target, source in differing_preferences(*self.sides):
                record_consent(target, target.consent, source.consent)

    def _unite(self, values: Json) -> None:
        """Delete the source's row first: an address and a linked user are unique."""
        db.session.delete(self.source)
        db.session.flush()
        for name, value in values.items():
            setattr(self.target, name, value)
        # The version moves even if no field changes, because the parts did.
        self.target.updated_at = utcnow()
        db.session.flush()
        refresh_contacts_text(self.target.id)

    def _record(self, undo_log: Json) -> CustomerMerge:
        now = utcnow()
        merge = CustomerMerge(
            id=self.source.id,
            customer_id=self.target.id,
            created_at=now,
            expires_at=now + UNDO_WITHIN,
            merged_by=caller_id(),
            undo_log=undo_log,
        )
        db.session.add(merge)
        db.session.flush()
        enqueue(FORGET, {"merge_id": str(merge.id)}, delay=UNDO_WITHIN)
        return merge


def lock_pair(target_id: UUID, source_id: UUID, choices: Mapping[str, str]) -> Merge:
    """Both customers, locked until the transaction ends. Raises Invalid, CustomerMerged, CustomerNotFound."""
    if source_id == target_id:
        raise Invalid.field("source_id", "Is the customer itself.")
    # In id order, as every writer locks customers. A dry run locks none.
    statement = select(Customer).where(Customer.id.in_((target_id, source_id))).order_by(Customer.id)
    statement = statement.with_for_update() if is_writing() else statement
    rows = db.session.scalars(statement.execution_options(populate_existing=True))
    customers = {row.id: row for row in rows}
    if target_id not in customers:
        raise not_found(Customer)
    if source_id not in customers:
        survivor_id = survivor_of(source_id)
        raise Invalid.field("source_id", "Not found.") if survivor_id is None else merged_into(survivor_id)
    return Merge(customers[target_id], customers[source_id], choices)


def parts_that_clash() -> tuple[str, ...]:
    """The kinds of parts for which a client can choose a side."""
    return tuple(reference.name for reference in referring_columns(Customer) if reference.rules)
