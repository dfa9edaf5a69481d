"""What is in storage, and for whom: one row per upload, written with the row that shows it.

Storage knows no transactions. So an object is put there before its row is written, and goes again if that
fails; and a row that goes leaves a job behind, in its transaction, that removes the objects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, BinaryIO, NamedTuple
from uuid import UUID

import structlog
from flask import g, has_request_context
from sqlalchemy import ColumnElement, Index, String, delete, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Mapped, mapped_column
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.base.errors import ApiError
from app.clients.storage.interface import Caller, Key
from app.core.db.models import Identified, JsonDocument, Model, db
from app.core.db.tenancy import TenantScoped
from app.core.db.transaction import company_transaction
from app.core.jobs.job import Job
from app.core.jobs.outbox import enqueue
from app.core.security.encryption import seal, unseal
from app.core.services import services

log = structlog.get_logger(__name__)

REMOVE = "storage.remove"
SEALED = "storage caller"
FILES_PER_JOB = 20
MOST_JOB_SECONDS = 60.0
"""Below the lease of a job, however long STORAGE_REQUEST_TIMEOUT is."""


class StoredFile(TenantScoped, Identified, Model):
    """``objects`` maps the paths of an upload's objects to the storage's own names for them."""

    __tablename__ = "stored_file"
    __table_args__ = (Index("ix_stored_file_company_id_bucket", "company_id", "bucket_type", "bucket_id"),)

    bucket_type: Mapped[str] = mapped_column(String(20))
    bucket_id: Mapped[UUID]
    objects: Mapped[dict[str, str]] = mapped_column(JsonDocument)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class Filed:
    """A row that is about one stored file, which goes with it."""

    file_id: Mapped[UUID] = mapped_column(sort_order=80)


def buckets() -> set[str]:
    """Those that models declare. Any other object in the storage is somebody else's."""
    return {bucket for mapper in Model.registry.mappers if (bucket := getattr(mapper.class_, "bucket", None))}


class Owner(NamedTuple):
    company_id: UUID
    bucket_type: str
    bucket_id: UUID

    def key(self, path: str) -> Key:
        return Key(*self, path)


class Part(NamedTuple):
    """What becomes an object. ``path`` names it below its owner and begins with an id of the upload's own."""

    path: str
    file: BinaryIO
    size: int
    media_type: str


@dataclass
class Deposit:
    """Objects that are in storage and that no row shows yet."""

    owner: Owner
    id: UUID = field(default_factory=uuid7)
    objects: dict[str, str] = field(default_factory=dict)
    is_complete: bool = False

    def row(self) -> StoredFile:
        """To be added in the transaction that shows it."""
        return StoredFile(
            id=self.id, bucket_type=self.owner.bucket_type, bucket_id=self.owner.bucket_id, objects=self.objects
        )

    def put(self, parts: Sequence[Part]) -> None:
        """All within one STORAGE_REQUEST_TIMEOUT, outside of any transaction. Raises what a Storage raises."""
        caller = caller_now()
        try:
            for each in parts:
                # Also what fails may have been stored: its answer was lost.
                self.objects[each.path] = ""
                stored = services().storage.put(
                    self.owner.key(each.path), each.file, each.size, each.media_type, caller
                )
                self.objects[each.path] = stored
        except BaseException:
            self._have_removed()
            raise

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Around the transaction that shows it. Whatever keeps that from committing removes the objects.

        The body ends by setting ``is_complete``: from there on an error may have come after the commit.
        """
        try:
            yield
        except BaseException:
            if not self.is_complete or self._is_surely_not_shown():
                self._remove()
            raise

    def _is_surely_not_shown(self) -> bool:
        """When a connection is lost while committing, or the process is told to end, only the database knows."""
        try:
            with company_transaction(self.owner.company_id, writes=False):
                return db.session.scalar(select(StoredFile.id).where(StoredFile.id == self.id)) is None
        except SQLAlchemyError:
            log.warning("stored_file_uncertain", file_id=self.id, remedy="flask storage check")
            return False

    def _remove(self) -> None:
        try:
            for path, reference in self.objects.items():
                services().storage.remove(self.owner.key(path), reference, caller_now())
        except ApiError:
            self._have_removed()

    def _have_removed(self) -> None:
        try:
            with company_transaction(self.owner.company_id):
                _enqueue([_described(self.owner.bucket_type, self.owner.bucket_id, self.objects)])
        except SQLAlchemyError:
            log.error("stored_file_orphaned", file_id=self.id, remedy="flask storage check")


def caller_now() -> Caller:
    """For an operation that begins now."""
    found = g.get("principal") if has_request_context() else None
    return Caller.within(services().settings.storage_request_timeout, found.token if found else "")


def discard(*conditions: ColumnElement[bool]) -> None:
    """Forget the tenant's files that meet the conditions, and have their objects removed after the commit."""
    wanted = select(StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects).where(*conditions)
    found: Sequence[Any] = db.session.execute(wanted).all()
    if not found:
        return
    for start in range(0, len(found), FILES_PER_JOB):
        _enqueue([_described(*row) for row in found[start : start + FILES_PER_JOB]])
    db.session.execute(delete(StoredFile).where(*conditions).execution_options(synchronize_session=False))


def _described(bucket_type: str, bucket_id: UUID, objects: Mapping[str, str]) -> dict[str, Any]:
    return {"bucket_type": bucket_type, "bucket_id": str(bucket_id), "objects": dict(objects)}


def _enqueue(files: list[dict[str, Any]]) -> None:
    """A storage that asks who calls is told by a sealed token: the job runs when its caller is gone."""
    token = caller_now().token if services().storage.needs_caller else ""
    enqueue(REMOVE, {"files": files, "token": seal(SEALED, token) if token else ""})


def remove_stored(job: Job) -> None:
    """The job. Raises what a Storage raises, and ValueError when the keys were changed since."""
    token = unseal(SEALED, job.payload["token"]) if job.payload["token"] else ""
    caller = Caller.within(min(services().settings.storage_request_timeout, MOST_JOB_SECONDS), token)
    for file in job.payload["files"]:
        owner = Owner(_company_of(job), file["bucket_type"], UUID(file["bucket_id"]))
        for path, reference in file["objects"].items():
            services().storage.remove(owner.key(path), reference, caller)


def _company_of(job: Job) -> UUID:
    """Raises ValueError: a file without a company cannot have been stored."""
    if job.tenant_id is None:
        raise ValueError("A job without a company removes nothing.")
    return job.tenant_id
