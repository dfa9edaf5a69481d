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
from app.core.db.models import db
from app.core.db.reparent import SOURCE, TARGET, ReferringColumn, Sides, UniqueRule, referring_columns
from app.core.db.row_json import columns_of, to_json
from app.core.db.transaction import is_writing
from app.core.jobs import one_time_links
from app.core.jobs.outbox import enqueue
from app.customers.merge.models import CustomerMerge
from app.customers.merge.redirects import merged_into, survivor_of
from app.customers.models import Customer
from app.customers.parts.contacts import refresh_contacts_text
from app.customers.parts.part import caller_id
from app.customers.parts.preferences import CommunicationPreference, record_consent
from app.customers.parts.services import CustomerService
from app.customers.schemas import CustomerSchema
from app.customers.verification.service import PURPOSE, address_of, user_of

Json = dict[str, Any]

UNDO_WITHIN = timedelta(days=30)
FORGET = "customers.forget_merge"
FIELDS = tuple(CustomerSchema().load_fields)
VERIFIED = ("is_verified", "email_verified_at")


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
        for name in FIELDS:
            mine, other = getattr(self.target, name), getattr(self.source, name)
            side = self.choices.get(name, TARGET if mine else SOURCE)
            if side == SOURCE and mine != other:
                changes[name] = other
        return changes | self._verification(changes)

    def _verification(self, changes: Json) -> Json:
        """An address from the source keeps the source's verification."""
        after = [changes.get(name, getattr(self.target, name)) for name in ("user_id", "email")]
        if _address(*after) == _address(self.target.user_id, self.target.email):
            return {}
        if _address(*after) != _address(self.source.user_id, self.source.email):
            return {"is_verified": False, "email_verified_at": None}
        return {name: getattr(self.source, name) for name in VERIFIED}

    @property
    def conflicts(self) -> list[Json]:
        """Fields and parts that both sides have, each with the side that wins."""
        conflicts = list(self._field_conflicts())
        for clashing in self.clashing_rows:
            conflicts += clashing.describe(self.winner(clashing.reference.name))
        return conflicts

    def _field_conflicts(self) -> Iterator[Json]:
        for name in FIELDS:
            mine, other = getattr(self.target, name), getattr(self.source, name)
            if mine and other and mine != other:
                values = to_json({"target": mine, "source": other})
                yield {"kind": "customer", "field": name, "winner": self.winner(name), **values}

    def moved_counts(self) -> Json:
        """The number of rows of each kind that a merge would move."""
        return {
            reference.name: reference.count(self.source.id) - self._count_removed(reference)
            for reference in self.references
        }

    def _count_removed(self, reference: ReferringColumn) -> int:
        """The number of the source's rows that do not move."""
        if self.winner(reference.name) == SOURCE:
            return 0
        return len(self._removed_ids(reference))

    def _removed_ids(self, reference: ReferringColumn) -> set[UUID]:
        """The rows of the losing side that a merge deletes."""
        side = 1 if self.winner(reference.name) == TARGET else 0
        groups = [group for group in self.clashing_rows if group.reference == reference and not group.rule.flag]
        return {pair[side] for group in groups for pair in group.rows}

    def service_totals(self) -> Json:
        """Each service counts once."""
        references = (reference for reference in self.references if reference.model is CustomerService)
        twice = next((len(self._removed_ids(reference)) for reference in references), 0)
        days = [customer.last_service_date for customer in (self.target, self.source) if customer.last_service_date]
        total = self.target.total_services + self.source.total_services - twice
        return {"total_services": total, "last_service_date": max(days, default=None)}

    def execute(self) -> tuple[CustomerMerge, Json]:
        """The merge, and the number of rows of each kind that were moved."""
        values, services, snapshot = self.field_changes, self.service_totals(), _snapshot(self.source.id)
        undo_log: Json = {"customer": snapshot, "services": self._services_log(services), "parts": {}}
        undo_log["before"] = to_json({name: getattr(self.target, name) for name in values})
        undo_log["after"] = to_json(values)
        undo_log["addresses"] = [address_of(customer, user_of(customer)) for customer in (self.target, self.source)]
        self._note_consent()
        for reference in self.references:
            rules = [clashing.rule for clashing in self.clashing_rows if clashing.reference == reference]
            undo_log["parts"][reference.name] = reference.move(self.sides, self.winner(reference.name), rules)
        for customer_id in self.sides:
            one_time_links.revoke(PURPOSE, customer_id)
        self._unite(values | services)
        return self._record(undo_log), {name: len(part["moved"]) for name, part in undo_log["parts"].items()}

    def _services_log(self, services: Json) -> Json:
        gained = services["total_services"] - self.target.total_services
        return {"gained": gained, **to_json({"last_service_date": self.target.last_service_date})}

    def _note_consent(self) -> None:
        """A preference of the source that replaces the survivor's changes the survivor's consent."""
        for clashing in self.clashing_rows:
            reference = clashing.reference
            if reference.model is CommunicationPreference and self.winner(reference.name) == SOURCE:
                rows = _by_id([key for pair in clashing.rows for key in pair])
                for target, source in ((rows[one], rows[other]) for one, other in clashing.rows):
                    if target.consent != source.consent:
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
    customers = lock_customers(target_id, source_id)
    if target_id not in customers:
        raise not_found(Customer)
    if source_id not in customers:
        survivor_id = survivor_of(source_id)
        raise Invalid.field("source_id", "Not found.") if survivor_id is None else merged_into(survivor_id)
    return Merge(customers[target_id], customers[source_id], choices)


def lock_customers(*ids: UUID) -> dict[UUID, Customer]:
    """The existing ones by id, read anew and locked in id order, as every writer does.

    A read-only transaction locks none.
    """
    statement = select(Customer).where(Customer.id.in_(ids)).order_by(Customer.id)
    if is_writing():
        statement = statement.with_for_update()
    return {row.id: row for row in db.session.scalars(statement.execution_options(populate_existing=True))}


def parts_that_clash() -> tuple[str, ...]:
    """The kinds of parts for which a client can choose a side."""
    return tuple(reference.name for reference in referring_columns(Customer) if reference.rules)


def _address(user_id: UUID | None, email: str | None) -> Any:
    """The identity behind an address: the linked user, or else the address itself."""
    return user_id or email


def _snapshot(customer_id: UUID) -> Json:
    row = db.session.execute(select(*columns_of(Customer)).where(Customer.id == customer_id)).one()
    return to_json(row._mapping)


def _by_id(ids: list[UUID]) -> dict[UUID, CommunicationPreference]:
    rows = db.session.scalars(select(CommunicationPreference).where(CommunicationPreference.id.in_(ids)))
    return {row.id: row for row in rows}
