"""The operator's comparison of the storage with the database, for all companies."""

import re
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import select

from app.base.clock import utcnow
from app.base.errors import Invalid
from app.clients.storage.interface import Key, Missing
from app.core.db.lookup import lock_row
from app.core.db.tenancy import PLATFORM_TABLES
from app.core.db.transaction import company_transaction, platform_session, unit_of_work
from app.core.files.images import WHOLE
from app.core.files.picture import Picture, detach_file, path_of, picture_object
from app.core.files.stored_file import (
    REMOVE,
    Deposit,
    FileOwner,
    FileRecord,
    StoredFile,
    buckets,
    discard,
    storage_caller,
)
from app.core.jobs.outbox import Job
from app.core.services import services
from app.core.web.routing import mounted_routes

UPLOAD_GRACE = timedelta(hours=1)
"""An object is stored before its row, so a young one is no orphan yet."""
PICTURE = re.compile(r"([0-9a-f-]{36})/([a-z]+)(?:-(\d+))?\.png")

Listing = dict[Key, datetime]


class FileReference(NamedTuple):
    """A row with a picture or a document, and its column with the file's id."""

    model: type[Any]
    column: str
    row_id: UUID


@dataclass
class CompanyFiles:
    """A company's files in the database: the paths of each upload, and the rows that show them."""

    id: UUID
    files: Mapping[UUID, tuple[FileOwner, list[str]]]
    references: Mapping[UUID, FileReference]

    def object_keys(self) -> set[Key]:
        return {owner.key(path) for owner, paths in self.files.values() for path in paths}


def check_storage(*, repair: bool) -> Iterator[str]:
    """Yields a line for each fault. Raises the errors of Storage."""
    with platform_session() as session:
        company = next(model for model in _models() if model.__tablename__ in PLATFORM_TABLES)
        ids = session.scalars(select(company.id)).all()
    # The storage is listed first. An object stored later is looked up before it is reported as missing.
    declared = buckets()
    stored = services().storage.stored()
    listing = {item.key: item.modified for item in stored if item.key.bucket_type in declared}
    for company_id in ids:
        company = _read_company(company_id)
        yield from _report_missing(company, listing, repair=repair)
        yield from _report_unknown(company, repair=repair)
        for key in company.object_keys():
            listing.pop(key, None)
    for key in _pending_removals():
        listing.pop(key, None)
    yield from _report_orphans(listing, repair=repair)


def _pending_removals() -> Iterator[Key]:
    """The objects of all jobs of removal, failed ones too."""
    with unit_of_work(writes=False) as session:
        jobs = session.execute(select(Job.tenant_id, Job.payload).where(Job.kind == REMOVE))
        for tenant_id, payload in jobs:
            for file in payload["files"]:
                owner = FileOwner(tenant_id, file["bucket_type"], UUID(file["bucket_id"]))
                yield from map(owner.key, file["objects"])


def _models() -> Iterator[Any]:
    return (mapper.class_ for mapper in StoredFile.registry.mappers)


def _file_columns() -> list[tuple[type[Any], str]]:
    """The columns that name a stored file: of pictures, then of file records."""
    endpoints = {route.endpoint for route in mounted_routes() if issubclass(route.endpoint, Picture)}
    pictures = {(endpoint.model, endpoint.column()) for endpoint in endpoints}
    records = [(model, "file_id") for model in _models() if issubclass(model, FileRecord)]
    return sorted(pictures, key=str) + sorted(records, key=str)


def _read_company(company_id: UUID) -> CompanyFiles:
    with company_transaction(company_id, writes=False) as session:
        rows = session.execute(
            select(StoredFile.id, StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects)
        ).all()
        references = {}
        for model, name in _file_columns():
            column = getattr(model, name)
            for file_id, row_id in session.execute(select(column, model.id).where(column.is_not(None))):
                references[file_id] = FileReference(model, name, row_id)
    files = {row.id: (FileOwner(company_id, row.bucket_type, row.bucket_id), list(row.objects)) for row in rows}
    return CompanyFiles(company_id, files, references)


def _report_missing(company: CompanyFiles, listing: Listing, *, repair: bool) -> Iterator[str]:
    for file_id, (owner, paths) in company.files.items():
        missing = [path for path in paths if owner.key(path) not in listing and _is_missing(owner.key(path))]
        for path in missing:
            yield f"missing   {owner.key(path)}"
        if missing and repair:
            yield _repair(company, file_id, owner, missing)


def _is_missing(key: Key) -> bool:
    try:
        services().storage.open(key, storage_caller()).file.close()
    except Missing:
        return True
    return False


def _repair(company: CompanyFiles, file_id: UUID, owner: FileOwner, missing: list[str]) -> str:
    """Make missing thumbnails again, or hide a picture whose main object is missing."""
    matches = [match for path in missing if (match := PICTURE.fullmatch(path))]
    if len(matches) < len(missing):
        return f"  left as it is: {file_id} is no picture; restore it from a backup"
    with suppress(Missing, Invalid):
        _remake(file_id, owner, matches[0][2], [int(match[3] or 0) for match in matches])
        return f"  made again: thumbnails of {file_id}"
    _hide(company, file_id)
    return f"  no longer shown: {file_id}"


def _remake(file_id: UUID, owner: FileOwner, field: str, edges: list[int]) -> None:
    """Raises Missing without the picture itself, and Invalid if it is damaged."""
    whole = path_of(file_id, field, WHOLE)
    content = services().storage.open(owner.key(whole), storage_caller())
    with content.file as source, services().images.make_pictures(field, source, edges) as files:
        deposit = Deposit(owner, file_id)
        deposit.put([picture_object(file_id, field, edge, file) for edge, file in files.items()])
    with company_transaction(owner.company_id) as session:
        row = session.scalars(select(StoredFile).where(StoredFile.id == file_id)).one()
        row.objects = row.objects | deposit.objects


def _report_unknown(company: CompanyFiles, *, repair: bool) -> Iterator[str]:
    for file_id, reference in company.references.items():
        if file_id not in company.files:
            yield f"unknown   {reference.model.__tablename__} {reference.row_id} shows {file_id}"
            if repair and issubclass(reference.model, FileRecord):
                yield f"  left as it is: {file_id} is no picture; delete it or restore a backup"
            elif repair:
                _hide(company, file_id)
                yield f"  no longer shown: {file_id}"


def _hide(company: CompanyFiles, file_id: UUID) -> None:
    reference = company.references.get(file_id)
    with company_transaction(company.id):
        if reference is None:
            discard(StoredFile.id == file_id)
            return
        row = lock_row(reference.model, reference.row_id)
        if row is not None and getattr(row, reference.column) == file_id:
            detach_file(row, reference.column)


def _report_orphans(listing: Listing, *, repair: bool) -> Iterator[str]:
    for key, modified in listing.items():
        if utcnow() - modified < UPLOAD_GRACE:
            continue
        yield f"orphan    {key}"
        if repair:
            services().storage.remove(key, "", storage_caller())
            yield f"  removed: {key}"
