"""Making two customers one: what clashes, which side wins, and what is kept to undo it."""

from __future__ import annotations

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
from app.core.db.reparent import SOURCE, TARGET, ReferringColumn, Rule, Sides, references
from app.core.db.row_json import columns_of, frozen
from app.core.db.transaction import is_writing
from app.core.jobs import one_time_links
from app.core.jobs.outbox import enqueue
from app.customers.merge.models import CustomerMerge
from app.customers.merge.redirects import merged_into, survivor_of
from app.customers.models import Customer
from app.customers.parts.contacts import refresh_contacts_text
from app.customers.parts.part import caller_id
from app.customers.parts.preferences import CommunicationPreference, note_change
from app.customers.parts.services import CustomerService
from app.customers.schemas import CustomerSchema
from app.customers.verification.service import PURPOSE, address_of, user_of

Json = dict[str, Any]

UNDO_WITHIN = timedelta(days=30)
FORGET = "customers.forget_merge"
FIELDS = tuple(CustomerSchema().load_fields)
VERIFIED = ("is_verified", "email_verified_at")


@dataclass(frozen=True)
class Meeting:
    """Rows of the two customers that cannot stand beside each other."""

    reference: ReferringColumn
    rule: Rule
    rows: list[tuple[UUID, UUID]]

    def shown(self, winner: str) -> Iterator[Json]:
        what = {"kind": self.reference.name, "field": self.rule.flag or ", ".join(self.rule.same), "winner": winner}
        for target, source in self.rows:
            yield what | {"target": str(target), "source": str(source)}


@dataclass
class Merge:
    """``choices`` name the side that wins, by field of the customer or kind of part."""

    target: Customer
    source: Customer
    choices: Mapping[str, str]

    @property
    def sides(self) -> Sides:
        return Sides(self.target.id, self.source.id)

    @cached_property
    def references(self) -> list[ReferringColumn]:
        return references(Customer)

    @cached_property
    def meetings(self) -> list[Meeting]:
        found = [
            Meeting(each, rule, list(each.clashes(rule, self.sides))) for each in self.references for rule in each.rules
        ]
        return [each for each in found if each.rows]

    def winner(self, name: str) -> str:
        return self.choices.get(name, TARGET)

    @cached_property
    def taken(self) -> Json:
        """What becomes different of the survivor's fields: what it has stays, what it lacks comes from the other."""
        found = {}
        for name in FIELDS:
            mine, other = getattr(self.target, name), getattr(self.source, name)
            side = self.choices.get(name, TARGET if mine else SOURCE)
            if side == SOURCE and mine != other:
                found[name] = other
        return found | self._proof(found)

    def _proof(self, found: Json) -> Json:
        """An address that comes from the other side is as verified as it was there."""
        after = [found.get(name, getattr(self.target, name)) for name in ("user_id", "email")]
        if _address(*after) == _address(self.target.user_id, self.target.email):
            return {}
        if _address(*after) != _address(self.source.user_id, self.source.email):
            return {"is_verified": False, "email_verified_at": None}
        return {name: getattr(self.source, name) for name in VERIFIED}

    @property
    def conflicts(self) -> list[Json]:
        """Where both sides have something, and which wins."""
        found = list(self._differing())
        for each in self.meetings:
            found += each.shown(self.winner(each.reference.name))
        return found

    def _differing(self) -> Iterator[Json]:
        for name in FIELDS:
            mine, other = getattr(self.target, name), getattr(self.source, name)
            if mine and other and mine != other:
                values = frozen({"target": mine, "source": other})
                yield {"kind": "customer", "field": name, "winner": self.winner(name), **values}

    def counted(self) -> Json:
        """How many rows of which kind would be moved."""
        return {each.name: each.count(self.source.id) - self._lost(each) for each in self.references}

    def _lost(self, reference: ReferringColumn) -> int:
        """Of the source's rows, those that do not move."""
        if self.winner(reference.name) == SOURCE:
            return 0
        return len(self._removed(reference))

    def _removed(self, reference: ReferringColumn) -> set[UUID]:
        """The losers that go, on whichever side they are."""
        place = 1 if self.winner(reference.name) == TARGET else 0
        met = [each for each in self.meetings if each.reference == reference and not each.rule.flag]
        return {rows[place] for each in met for rows in each.rows}

    def services(self) -> Json:
        """Each service counts once."""
        twice = next((len(self._removed(each)) for each in self.references if each.model is CustomerService), 0)
        days = [each.last_service_date for each in (self.target, self.source) if each.last_service_date]
        total = self.target.total_services + self.source.total_services - twice
        return {"total_services": total, "last_service_date": max(days, default=None)}

    def done(self) -> tuple[CustomerMerge, Json]:
        """The merge, and how many rows of which kind were moved."""
        values, services, snapshot = self.taken, self.services(), _snapshot(self.source.id)
        kept: Json = {"customer": snapshot, "services": self._services_before(services), "parts": {}}
        kept["before"] = frozen({name: getattr(self.target, name) for name in values})
        kept["after"] = frozen(values)
        kept["addresses"] = [address_of(each, user_of(each)) for each in (self.target, self.source)]
        self._note_consent()
        for each in self.references:
            rules = [met.rule for met in self.meetings if met.reference == each]
            kept["parts"][each.name] = each.move(self.sides, self.winner(each.name), rules)
        for customer_id in self.sides:
            one_time_links.revoke(PURPOSE, customer_id)
        self._unite(values | services)
        return self._remember(kept), {name: len(part["moved"]) for name, part in kept["parts"].items()}

    def _services_before(self, services: Json) -> Json:
        gained = services["total_services"] - self.target.total_services
        return {"gained": gained, **frozen({"last_service_date": self.target.last_service_date})}

    def _note_consent(self) -> None:
        """Where the source's preference takes the place of the survivor's, the survivor's consent changes."""
        for each in self.meetings:
            if each.reference.model is CommunicationPreference and self.winner(each.reference.name) == SOURCE:
                rows = _by_id([key for pair in each.rows for key in pair])
                for target, source in ((rows[one], rows[other]) for one, other in each.rows):
                    if target.consent != source.consent:
                        note_change(target, target.consent, source.consent)

    def _unite(self, values: Json) -> None:
        """The source's row goes first: an address or a user is held once."""
        db.session.delete(self.source)
        db.session.flush()
        for name, value in values.items():
            setattr(self.target, name, value)
        # The version moves even if no field does: the parts are others now.
        self.target.updated_at = utcnow()
        db.session.flush()
        refresh_contacts_text(self.target.id)

    def _remember(self, kept: Json) -> CustomerMerge:
        now = utcnow()
        merge = CustomerMerge(
            id=self.source.id,
            customer_id=self.target.id,
            created_at=now,
            expires_at=now + UNDO_WITHIN,
            merged_by=caller_id(),
            kept=kept,
        )
        db.session.add(merge)
        db.session.flush()
        enqueue(FORGET, {"merge_id": str(merge.id)}, delay=UNDO_WITHIN)
        return merge


def meeting(target_id: UUID, source_id: UUID, choices: Mapping[str, str]) -> Merge:
    """The two, held until the transaction ends. Raises Invalid, CustomerMerged, CustomerNotFound."""
    if source_id == target_id:
        raise Invalid.field("source_id", "Is the customer itself.")
    found = lock_customers(target_id, source_id)
    if target_id not in found:
        raise not_found(Customer)
    if source_id not in found:
        survivor_id = survivor_of(source_id)
        raise Invalid.field("source_id", "Not found.") if survivor_id is None else merged_into(survivor_id)
    return Merge(found[target_id], found[source_id], choices)


def lock_customers(*ids: UUID) -> dict[UUID, Customer]:
    """Those that are there, as they are now, in the order in which every writer locks them.

    A transaction that only reads locks none.
    """
    wanted = select(Customer).where(Customer.id.in_(ids)).order_by(Customer.id)
    if is_writing():
        wanted = wanted.with_for_update()
    return {row.id: row for row in db.session.scalars(wanted.execution_options(populate_existing=True))}


def parts_that_clash() -> tuple[str, ...]:
    """Kinds of parts for which a side can be chosen."""
    return tuple(each.name for each in references(Customer) if each.rules)


def _address(user_id: UUID | None, email: str | None) -> Any:
    """Whose address it is: a linked user's, or the customer's own."""
    return user_id or email


def _snapshot(customer_id: UUID) -> Json:
    row = db.session.execute(select(*columns_of(Customer)).where(Customer.id == customer_id)).one()
    return frozen(row._mapping)


def _by_id(ids: list[UUID]) -> dict[UUID, CommunicationPreference]:
    rows = db.session.scalars(select(CommunicationPreference).where(CommunicationPreference.id.in_(ids)))
    return {row.id: row for row in rows}
