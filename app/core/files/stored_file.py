"""Uploads in storage: one row each, written in the transaction of the row that shows it."""

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
from app.clients.storage.interface import Key, StorageCaller
from app.core.db.models import Identified, JsonDocument, Model, db
from app.core.db.tenancy import TenantScoped
from app.core.db.transaction import company_transaction
from app.core.jobs.outbox import Job, enqueue
from app.core.security.encryption import seal, unseal
from app.core.services import services

log = structlog.get_logger(__name__)

REMOVE = "storage.remove"
SEALED = "storage caller"
FILES_PER_JOB = 20
MOST_JOB_SECONDS = 60.0
"""Below the lease of a job, for any STORAGE_REQUEST_TIMEOUT."""


class StoredFile(TenantScoped, Identified, Model):
    """``objects`` maps the paths of an upload's objects to the storage's own names for them."""

    __tablename__ = "stored_file"
    __table_args__ = (Index("ix_stored_file_company_id_bucket", "company_id", "bucket_type", "bucket_id"),)

    bucket_type: Mapped[str] = mapped_column(String(20))
    bucket_id: Mapped[UUID]
    objects: Mapped[dict[str, str]] = mapped_column(JsonDocument)
    created_at: Mapped[datetime] = mapped_column(default=utcnow)


class FileRecord:
    """A row about one stored file, which is deleted with the row."""

    file_id: Mapped[UUID] = mapped_column(sort_order=80)


def buckets() -> set[str]:
    """The buckets that models declare; other objects in the storage are not ours."""
    return {bucket for mapper in Model.registry.mappers if (bucket := getattr(mapper.class_, "bucket", None))}


class FileOwner(NamedTuple):
    company_id: UUID
    bucket_type: str
    bucket_id: UUID

    def key(self, path: str) -> Key:
        return Key(*self, path)


class NewObject(NamedTuple):
    """An object to store. ``path`` is below its owner and begins with the id of the upload."""

    path: str
    file: BinaryIO
    size: int
    media_type: str


@dataclass
class Deposit:
    """Objects in storage that no row shows yet."""

    owner: FileOwner
    id: UUID = field(default_factory=uuid7)
    objects: dict[str, str] = field(default_factory=dict)
    is_complete: bool = False

    def row(self) -> StoredFile:
        """The row to add in the transaction that shows the file."""
        return StoredFile(
            id=self.id, bucket_type=self.owner.bucket_type, bucket_id=self.owner.bucket_id, objects=self.objects
        )

    def put(self, objects: Sequence[NewObject]) -> None:
        """Store all objects within one STORAGE_REQUEST_TIMEOUT, in no transaction. Raises the errors of Storage."""
        caller = storage_caller()
        try:
            for path, file, size, media_type in objects:
                # A failed call may have stored the object, if only its answer was lost.
                self.objects[path] = ""
                self.objects[path] = services().storage.put(self.owner.key(path), file, size, media_type, caller)
        except BaseException:
            self._enqueue_removal()
            raise

    @contextmanager
    def undo_on_error(self) -> Iterator[None]:
        """Remove the objects unless the enclosed transaction commits; its body ends by setting ``is_complete``."""
        try:
            yield
        except BaseException:
            if not self.is_complete or self._is_surely_uncommitted():
                self._remove()
            raise

    def _is_surely_uncommitted(self) -> bool:
        """Ask the database: a connection lost during the commit, or a signal, leaves the result open."""
        try:
            with company_transaction(self.owner.company_id, writes=False):
                return db.session.scalar(select(StoredFile.id).where(StoredFile.id == self.id)) is None
        except SQLAlchemyError:
            log.warning("stored_file_uncertain", file_id=self.id, remedy="flask storage check")
            return False

    def _remove(self) -> None:
        try:
            for path, reference in self.objects.items():
                services().storage.remove(self.owner.key(path), reference, storage_caller())
        except ApiError:
            self._enqueue_removal()

    def _enqueue_removal(self) -> None:
        try:
            with company_transaction(self.owner.company_id):
                _enqueue([_file_payload(self.owner.bucket_type, self.owner.bucket_id, self.objects)])
        except SQLAlchemyError:
            log.error("stored_file_orphaned", file_id=self.id, remedy="flask storage check")


def storage_caller() -> StorageCaller:
    caller = g.get("principal") if has_request_context() else None
    return StorageCaller.within(services().settings.storage_request_timeout, caller.token if caller else "")


def discard(*conditions: ColumnElement[bool], token: str = "") -> None:
    """Delete the tenant's files that meet the conditions, and enqueue the removal of their objects.

    ``token`` is that of ``seal_caller``, in a job.
    """
    statement = select(StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects).where(*conditions)
    rows: Sequence[Any] = db.session.execute(statement).all()
    if not rows:
        return
    for start in range(0, len(rows), FILES_PER_JOB):
        _enqueue([_file_payload(*row) for row in rows[start : start + FILES_PER_JOB]], token)
    db.session.execute(delete(StoredFile).where(*conditions).execution_options(synchronize_session=False))


def _file_payload(bucket_type: str, bucket_id: UUID, objects: Mapping[str, str]) -> dict[str, Any]:
    return {"bucket_type": bucket_type, "bucket_id": str(bucket_id), "objects": dict(objects)}


def _enqueue(files: list[dict[str, Any]], token: str = "") -> None:
    enqueue(REMOVE, {"files": files, "token": token or seal_caller()})


def seal_caller() -> str:
    """The caller's token for a job after the request, sealed; empty for a storage that does not check it."""
    token = storage_caller().token if services().storage.needs_caller else ""
    return seal(SEALED, token) if token else ""


def remove_objects(job: Job) -> None:
    """The job of REMOVE. Raises the errors of Storage, and ValueError if the keys have changed since."""
    token = unseal(SEALED, job.payload["token"]) if job.payload["token"] else ""
    caller = StorageCaller.within(min(services().settings.storage_request_timeout, MOST_JOB_SECONDS), token)
    for file in job.payload["files"]:
        owner = FileOwner(job.company_id, file["bucket_type"], UUID(file["bucket_id"]))
        for path, reference in file["objects"].items():
            services().storage.remove(owner.key(path), reference, caller)
