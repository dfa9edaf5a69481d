"""Undoes a merge: both customers as they were; the survivor keeps what was added since."""

from datetime import date
from typing import Any
from uuid import UUID

from sqlalchemy import func, select

from app.base.clock import utcnow
from app.base.errors import Conflict
from app.core.db.lookup import get_row, lock_row, not_found
from app.core.db.models import db
from app.core.db.reparent import ReferringColumn, Sides, referring_columns
from app.core.db.row_json import Json, from_json, insert_rows, to_json
from app.core.db.transaction import company_transaction
from app.core.files.stored_file import StoredFile, discard
from app.core.jobs import one_time_links
from app.core.jobs.outbox import Job
from app.customers.merge.execute import VERIFICATION_FIELDS
from app.customers.merge.models import CustomerMerge
from app.customers.models import Customer
from app.customers.parts.contacts import refresh_contacts_text
from app.customers.parts.preferences import CommunicationPreference, differing_preferences, record_consent
from app.customers.parts.services import CustomerService
from app.customers.verification.service import PURPOSE, address_of, unverify, user_of
from app.users.models import User

UNIQUE_FIELDS = ("email", "user_id")
MOST_KEYS_SHOWN = 20


class MergeFinal(Conflict):
    code, message = "MERGE_FINAL", "The merge is too old to be undone."


class NotTheNewestMerge(Conflict):
    code, message = "NOT_THE_NEWEST_MERGE", "A newer merge must be undone first."


class ChangedSinceMerge(Conflict):
    code, message = "CHANGED_SINCE_MERGE", "Something was changed since the merge."


def undo(customer_id: UUID, merge_id: UUID) -> tuple[Customer, Customer]:
    """The survivor and the restored customer. Raises NotFound and Conflict."""
    target = lock_row(Customer, customer_id)
    if target is None:
        raise not_found(Customer)
    merge = _newest(customer_id, merge_id)
    if merge.undo_log is None or merge.expires_at <= utcnow():
        raise MergeFinal()
    reversal = Reversal(target, merge.id, merge.undo_log)
    reversal.check()
    # Delete the merge before the parts move back: its id becomes a customer's again.
    db.session.delete(merge)
    return target, reversal.execute()


def _newest(customer_id: UUID, merge_id: UUID) -> CustomerMerge:
    """Raises NotFound, and Conflict if a later merge builds on this one."""
    merges = select(CustomerMerge).where(CustomerMerge.customer_id == customer_id)
    merge = db.session.scalar(merges.where(CustomerMerge.id == merge_id))
    if merge is None:
        raise not_found(CustomerMerge)
    newest_first = CustomerMerge.created_at.desc(), CustomerMerge.id.desc()
    newest = db.session.scalars(merges.order_by(*newest_first).limit(1)).one()
    if newest is not merge:
        raise NotTheNewestMerge(f"The merge of {newest.id} is newer and must be undone first.")
    return merge


class Reversal:
    """``undo_log`` is what ``Merge.execute`` recorded."""

    def __init__(self, target: Customer, source_id: UUID, undo_log: Json) -> None:
        self.target = target
        self.sides = Sides(target.id, source_id)
        self.undo_log = undo_log
        self.source: Json = undo_log["customer"]
        self.before: Json = from_json(Customer, undo_log["before"])
        if _is_deleted_user(self.before.get("user_id")):
            self.before["user_id"] = None

    @property
    def parts(self) -> list[tuple[ReferringColumn, Json]]:
        """The kinds of parts that existed at the time of the merge, each with its log."""
        logs = self.undo_log["parts"]
        return [
            (reference, logs[reference.name]) for reference in referring_columns(Customer) if reference.name in logs
        ]

    def check(self) -> None:
        """Raises Conflict, which names the changes made since the merge."""
        touched = ((reference.name, reference.edited_since(log, self.target.id)) for reference, log in self.parts)
        changed = {name: keys for name, keys in touched if keys}
        fields = self._changed_fields()
        if fields:
            changed["customer"] = fields
        if changed:
            errors = {name: keys[:MOST_KEYS_SHOWN] for name, keys in changed.items()}
            raise ChangedSinceMerge(f"Changed since the merge: {', '.join(sorted(changed))}.", errors=errors)
        self._check_free()

    def _changed_fields(self) -> list[str]:
        """Fields that the merge set on the survivor and that have another value since."""
        now = to_json({name: getattr(self.target, name) for name in self.undo_log["after"]})
        after = {name: value for name, value in self.undo_log["after"].items() if name not in VERIFICATION_FIELDS}
        changed = [name for name, value in after.items() if now[name] != value]
        # The deletion of a user unlinks them; that is no edit.
        if "user_id" in changed and after["user_id"] is not None and _is_deleted_user(UUID(after["user_id"])):
            changed.remove("user_id")
        return changed

    def _check_free(self) -> None:
        """Raises Conflict if another customer, or the survivor itself, has the address or user of the source."""
        source = from_json(Customer, {name: self.source[name] for name in UNIQUE_FIELDS})
        conflicts = [name for name in UNIQUE_FIELDS if self._is_in_use(name, source[name])]
        if conflicts:
            errors = {name: ["Taken meanwhile."] for name in conflicts}
            raise Conflict(f"Taken meanwhile: {', '.join(conflicts)}.", errors=errors)

    def _is_in_use(self, name: str, value: Any) -> bool:
        target_value = self.before.get(name, getattr(self.target, name))
        values = [candidate for candidate in (value, self.before.get(name)) if candidate is not None]
        column = getattr(Customer, name)
        others = select(Customer.id).where(column.in_(values), Customer.id != self.target.id).limit(1)
        return (value is not None and target_value == value) or db.session.scalar(others) is not None

    def execute(self) -> Customer:
        self._restore_fields()
        row = self.source | {"row_version": self.source["row_version"] + 1, "updated_at": utcnow().isoformat()}
        insert_rows(Customer, [row])
        for reference, log in self.parts:
            reference.move_back(log, self.sides)
        self._record_consent()
        for customer_id in self.sides:
            one_time_links.revoke(PURPOSE, customer_id)
            refresh_contacts_text(customer_id)
        self._restore_service_totals()
        restored: Customer = get_row(Customer, self.sides.source)
        self._unverify_changed(restored)
        return restored

    def _unverify_changed(self, restored: Customer) -> None:
        """A verification holds only for the address that was verified."""
        for row, verified_address in zip((self.target, restored), self.undo_log["addresses"], strict=True):
            if row.is_verified and address_of(row, user_of(row)) != verified_address:
                unverify(row)

    def _restore_fields(self) -> None:
        """Restore those of the survivor. Its version moves even if no field changes, because its parts do."""
        for name, value in self.before.items():
            setattr(self.target, name, value)
        self.target.updated_at = utcnow()
        db.session.flush()

    def _restore_service_totals(self) -> None:
        """Services added since the merge stay with the survivor."""
        services = self.undo_log["services"]
        before = services["last_service_date"]
        own = select(func.max(CustomerService.performed_on)).where(CustomerService.customer_id == self.target.id)
        days = [date.fromisoformat(before) if before else None, db.session.scalar(own)]
        self.target.total_services -= services["gained"]
        self.target.last_service_date = max((day for day in days if day), default=None)
        db.session.flush()

    def _record_consent(self) -> None:
        """Preferences of the survivor hold again where the merge had replaced them by the source's."""
        replaced = self.undo_log["parts"][CommunicationPreference.__tablename__]["removed"]
        if any(row["customer_id"] == str(self.sides.target) for row in replaced):
            for target, source in differing_preferences(*self.sides):
                record_consent(target, source.consent, target.consent)


def _is_deleted_user(user_id: UUID | None) -> bool:
    return user_id is not None and db.session.scalar(select(User.id).where(User.id == user_id)) is None


def forget(job: Job) -> None:
    """The handler of ``FORGET``: the redirect stays, the undo log goes."""
    with company_transaction(job.company_id):
        merge = lock_row(CustomerMerge, UUID(job.payload["merge_id"]))
        # The merge was undone, repeated or forgotten already.
        if merge is None or merge.undo_log is None or merge.expires_at > utcnow():
            return
        logo_id = merge.undo_log["customer"]["logo_file_id"]
        if logo_id is not None:
            discard(StoredFile.id == UUID(logo_id))
        merge.undo_log = None
        db.session.flush()
