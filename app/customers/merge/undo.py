"""Taking a merge back: both customers as they were, with what was added to the survivor since."""

from __future__ import annotations

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.base.clock import utcnow
from app.base.errors import Conflict
from app.core.db.lookup import existing, lock_row, not_found
from app.core.db.models import db
from app.core.db.reparent import ReferringColumn, Sides, references
from app.core.db.row_json import frozen, put_back, thawed
from app.core.db.transaction import company_transaction
from app.core.files.stored_file import StoredFile, discard
from app.core.jobs import one_time_links
from app.core.jobs.job import Job
from app.customers.merge.execute import VERIFIED, lock_customers
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer
from app.customers.parts.contacts import refresh_contacts_text
from app.customers.parts.preferences import CommunicationPreference, note_change
from app.customers.parts.services import CustomerService
from app.customers.verification.service import PURPOSE, address_of, unverify, user_of
from app.users.models import User

Json = dict[str, Any]
HELD_ONCE = ("email", "user_id")
MOST_NAMED = 20


class MergeFinal(Conflict):
    code, message = "MERGE_FINAL", "The merge is too old to be undone."


class NotTheNewestMerge(Conflict):
    code, message = "NOT_THE_NEWEST_MERGE", "A newer merge must be undone first."


class ChangedSinceMerge(Conflict):
    code, message = "CHANGED_SINCE_MERGE", "Something was changed since the merge."


def undo(customer_id: UUID, merge_id: UUID) -> tuple[Customer, Customer]:
    """The survivor, and the customer that is back. Raises NotFound and Conflict."""
    target = lock_customers(customer_id).get(customer_id)
    if target is None:
        raise not_found(Customer)
    merge = _newest(customer_id, merge_id)
    if merge.kept is None or merge.expires_at <= utcnow():
        raise MergeFinal()
    found = Undo(target, merge.id, merge.kept)
    found.check()
    # First, so that its parts refer to a customer that is there and not to a merge that is none any more.
    db.session.delete(merge)
    return target, found.done()


def _newest(customer_id: UUID, merge_id: UUID) -> CustomerMerge:
    """Raises NotFound, and Conflict for one that others were built on."""
    mine = select(CustomerMerge).where(CustomerMerge.customer_id == customer_id)
    merge = db.session.scalar(mine.where(CustomerMerge.id == merge_id))
    if merge is None:
        raise not_found(CustomerMerge)
    newest = db.session.scalars(mine.order_by(CustomerMerge.created_at.desc(), CustomerMerge.id.desc()).limit(1)).one()
    if newest is not merge:
        raise NotTheNewestMerge(f"The merge of {newest.id} is newer and must be undone first.")
    return merge


class Undo:
    """``kept`` is what ``Merge.done`` left."""

    def __init__(self, target: Customer, source_id: UUID, kept: Json) -> None:
        self.target = target
        self.sides = Sides(target.id, source_id)
        self.kept = kept
        self.source: Json = kept["customer"]
        self.before: Json = thawed(Customer, kept["before"])
        if _is_gone(self.before.get("user_id")):
            self.before["user_id"] = None

    @property
    def parts(self) -> list[tuple[ReferringColumn, Json]]:
        """Of the kinds that there were when the two were merged."""
        kept = self.kept["parts"]
        return [(each, kept[each.name]) for each in references(Customer) if each.name in kept]

    # Whether it can be done

    def check(self) -> None:
        """Raises Conflict, and names what is in the way."""
        changed = {each.name: keys for each, part in self.parts if (keys := each.touched_since(part, self.target.id))}
        fields = self._changed_fields()
        if fields:
            changed["customer"] = fields
        if changed:
            named = {name: keys[:MOST_NAMED] for name, keys in changed.items()}
            kinds = ", ".join(sorted(changed))
            raise ChangedSinceMerge(f"Changed since the merge: {kinds}.", errors=named)
        self._check_free()

    def _changed_fields(self) -> list[str]:
        """Fields that the merge gave the survivor, and that were given another value since."""
        now = frozen({name: getattr(self.target, name) for name in self.kept["after"]})
        after = {name: value for name, value in self.kept["after"].items() if name not in VERIFIED}
        changed = [name for name, value in after.items() if now[name] != value]
        # Nobody unlinked a user who was deleted.
        if "user_id" in changed and after["user_id"] is not None and _is_gone(UUID(after["user_id"])):
            changed.remove("user_id")
        return changed

    def _check_free(self) -> None:
        """Raises Conflict for an address or user that a third customer has, or the survivor by itself."""
        source = thawed(Customer, {name: self.source[name] for name in HELD_ONCE})
        taken = [name for name in HELD_ONCE if self._is_taken(name, source[name])]
        if taken:
            errors = {name: ["Taken meanwhile."] for name in taken}
            raise Conflict(f"Taken meanwhile: {', '.join(taken)}.", errors=errors)

    def _is_taken(self, name: str, value: Any) -> bool:
        mine = self.before.get(name, getattr(self.target, name))
        wanted = [each for each in (value, self.before.get(name)) if each is not None]
        column = getattr(Customer, name)
        others = select(Customer.id).where(column.in_(wanted), Customer.id != self.target.id).limit(1)
        return (value is not None and mine == value) or db.session.scalar(others) is not None

    # How it is done

    def done(self) -> Customer:
        self._give_back()
        kept = self.source | {"row_version": self.source["row_version"] + 1, "updated_at": utcnow().isoformat()}
        put_back(Customer, [kept])
        for each, part in self.parts:
            each.move_back(part, self.sides)
        self._note_consent()
        for customer_id in self.sides:
            one_time_links.revoke(PURPOSE, customer_id)
            refresh_contacts_text(customer_id)
        self._count_services()
        back = existing(Customer, self.sides.source)
        self._check_proofs(back)
        return back  # type: ignore[no-any-return]

    def _check_proofs(self, back: Customer) -> None:
        """What was verified is verified for the address that it was verified for."""
        for row, proven in zip((self.target, back), self.kept["addresses"], strict=True):
            if row.is_verified and address_of(row, user_of(row)) != proven:
                unverify(row)

    def _give_back(self) -> None:
        """The survivor's own fields; its version moves even if there are none: the parts are others now."""
        for name, value in self.before.items():
            setattr(self.target, name, value)
        self.target.updated_at = utcnow()
        db.session.flush()

    def _count_services(self) -> None:
        """Those that were added since stay with the survivor."""
        services = self.kept["services"]
        before = services["last_service_date"]
        own = select(func.max(CustomerService.performed_on)).where(CustomerService.customer_id == self.target.id)
        days = [date.fromisoformat(before) if before else None, db.session.scalar(own)]
        self.target.total_services -= services["gained"]
        self.target.last_service_date = max((each for each in days if each), default=None)
        db.session.flush()

    def _note_consent(self) -> None:
        """Preferences of the survivor that the source's had replaced hold again."""
        removed = self.kept["parts"][CommunicationPreference.__tablename__]["removed"]
        back = [UUID(row["id"]) for row in removed if row["customer_id"] == str(self.sides.target)]
        if not back:
            return
        theirs = {(each.channel, each.topic): each.consent for each in _preferences(self.sides.source)}
        for mine in _preferences(self.sides.target):
            old = theirs.get((mine.channel, mine.topic))
            if mine.id in back and mine.consent != old:
                note_change(mine, old, mine.consent)


def _is_gone(user_id: UUID | None) -> bool:
    return user_id is not None and db.session.scalar(select(User.id).where(User.id == user_id)) is None


def _preferences(customer_id: UUID) -> list[CommunicationPreference]:
    wanted = select(CommunicationPreference).where(CommunicationPreference.customer_id == customer_id)
    return list(db.session.scalars(wanted.execution_options(populate_existing=True)))


def forget(job: Job) -> None:
    """The handler of ``FORGET``: the redirect stays, what was kept of the customer goes."""
    with company_transaction(job.company_id):
        merge = lock_row(CustomerMerge, UUID(job.payload["merge_id"]))
        # Undone, merged again, or forgotten already.
        if merge is None or merge.kept is None or merge.expires_at > utcnow():
            return
        logo_id = merge.kept["customer"]["logo_file_id"]
        if logo_id is not None:
            discard(StoredFile.id == UUID(logo_id))
        merge.kept = None
        db.session.flush()
