"""Holds what is in storage against what the database knows, for all companies; for the operator."""

from __future__ import annotations

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
from app.core.files.picture import Picture, detach, part_of, path_of
from app.core.files.stored_file import REMOVE, Deposit, Filed, Owner, StoredFile, buckets, caller_now, discard
from app.core.jobs.outbox import OutboxEntry
from app.core.services import services
from app.core.web.routing import mounted_routes

UNDER_WAY = timedelta(hours=1)
"""An object is there before its row is: a young one is no orphan yet."""
PICTURE = re.compile(r"([0-9a-f-]{36})/([a-z]+)(?:-(\d+))?\.png")

Listed = dict[Key, datetime]


class Shown(NamedTuple):
    """A row that has a picture or is about a document, and the company's own id for it."""

    model: type[Any]
    column: str
    row_id: UUID


@dataclass
class Company:
    """What the database says: the paths of each upload, and which rows show which file."""

    id: UUID
    files: Mapping[UUID, tuple[Owner, list[str]]]
    shown: Mapping[UUID, Shown]

    def stored(self) -> set[Key]:
        return {owner.key(path) for owner, paths in self.files.values() for path in paths}


def check(*, repair: bool) -> Iterator[str]:
    """A line for each fault. Raises what a Storage raises."""
    with platform_session() as session:
        ids = session.scalars(select(_company().id)).all()
    # First what is stored: whatever appears later is looked for again before it is called missing.
    declared = buckets()
    stored = services().storage.stored()
    listed: Listed = {each.key: each.modified for each in stored if each.key.bucket_type in declared}
    for company_id in ids:
        company = _read(company_id)
        yield from _missing(company, listed, repair=repair)
        yield from _unknown(company, repair=repair)
        for key in company.stored():
            listed.pop(key, None)
    for key in _leaving():
        listed.pop(key, None)
    yield from _orphans(listed, repair=repair)


def _leaving() -> Iterator[Key]:
    """What a job will remove, or tried to."""
    with unit_of_work(writes=False) as session:
        jobs = session.execute(select(OutboxEntry.tenant_id, OutboxEntry.payload).where(OutboxEntry.kind == REMOVE))
        for tenant_id, payload in jobs:
            for file in payload["files"]:
                owner = Owner(tenant_id, file["bucket_type"], UUID(file["bucket_id"]))
                yield from map(owner.key, file["objects"])


def _company() -> type[Any]:
    found: type[Any] = next(each.class_ for each in StoredFile.registry.mappers if _is_company(each))
    return found


def _is_company(mapper: Any) -> bool:
    return mapper.local_table.name in PLATFORM_TABLES


def _pictures() -> Iterator[tuple[type[Any], str]]:
    endpoints = {route.endpoint for route in mounted_routes() if issubclass(route.endpoint, Picture)}
    yield from sorted({(each.model, each.column()) for each in endpoints}, key=str)


def _filed() -> Iterator[tuple[type[Any], str]]:
    found = (each.class_ for each in StoredFile.registry.mappers)
    yield from sorted(((each, "file_id") for each in found if issubclass(each, Filed)), key=str)


def _read(company_id: UUID) -> Company:
    with company_transaction(company_id, writes=False) as session:
        rows = session.execute(
            select(StoredFile.id, StoredFile.bucket_type, StoredFile.bucket_id, StoredFile.objects)
        ).all()
        shown = {}
        for model, name in (*_pictures(), *_filed()):
            column = getattr(model, name)
            for file_id, row_id in session.execute(select(column, model.id).where(column.is_not(None))):
                shown[file_id] = Shown(model, name, row_id)
    files = {row.id: (Owner(company_id, row.bucket_type, row.bucket_id), list(row.objects)) for row in rows}
    return Company(company_id, files, shown)


def _missing(company: Company, listed: Listed, *, repair: bool) -> Iterator[str]:
    for file_id, (owner, paths) in company.files.items():
        gone = [path for path in paths if owner.key(path) not in listed and _is_missing(owner.key(path))]
        for path in gone:
            yield f"missing   {owner.key(path)}"
        if gone and repair:
            yield _mended(company, file_id, owner, gone)


def _is_missing(key: Key) -> bool:
    try:
        services().storage.open(key, caller_now()).file.close()
    except Missing:
        return True
    return False


def _mended(company: Company, file_id: UUID, owner: Owner, gone: list[str]) -> str:
    """Thumbnails are made again; a picture without itself is no longer shown."""
    matched = [match for path in gone if (match := PICTURE.fullmatch(path))]
    if len(matched) < len(gone):
        return f"  left as it is: {file_id} is no picture; restore it from a backup"
    with suppress(Missing, Invalid):
        _remake(file_id, owner, matched[0][2], [int(match[3] or 0) for match in matched])
        return f"  made again: thumbnails of {file_id}"
    _forget(company, file_id)
    return f"  no longer shown: {file_id}"


def _remake(file_id: UUID, owner: Owner, field: str, edges: list[int]) -> None:
    """Raises Missing where there is nothing to make them of, and Invalid where it is damaged."""
    whole = path_of(file_id, field, WHOLE)
    content = services().storage.open(owner.key(whole), caller_now())
    with content.file as source, services().images.made(field, source, edges) as files:
        deposit = Deposit(owner, file_id)
        deposit.put([part_of(file_id, field, edge, file) for edge, file in files.items()])
    with company_transaction(owner.company_id) as session:
        row = session.scalars(select(StoredFile).where(StoredFile.id == file_id)).one()
        row.objects = row.objects | deposit.objects


def _unknown(company: Company, *, repair: bool) -> Iterator[str]:
    for file_id, shown in company.shown.items():
        if file_id not in company.files:
            yield f"unknown   {shown.model.__tablename__} {shown.row_id} shows {file_id}"
            if repair and issubclass(shown.model, Filed):
                yield f"  left as it is: {file_id} is no picture; delete it or restore a backup"
            elif repair:
                _forget(company, file_id)
                yield f"  no longer shown: {file_id}"


def _forget(company: Company, file_id: UUID) -> None:
    shown = company.shown.get(file_id)
    with company_transaction(company.id):
        if shown is None:
            discard(StoredFile.id == file_id)
            return
        row = lock_row(shown.model, shown.row_id)
        if row is not None and getattr(row, shown.column) == file_id:
            detach(row, shown.column)


def _orphans(listed: Listed, *, repair: bool) -> Iterator[str]:
    for key, modified in listed.items():
        if utcnow() - modified < UNDER_WAY:
            continue
        yield f"orphan    {key}"
        if repair:
            services().storage.remove(key, "", caller_now())
            yield f"  removed: {key}"
