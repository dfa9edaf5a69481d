"""What a test sees of storage and the rows about it."""

from uuid import UUID

from flask import Flask
from sqlalchemy import select

from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.files.stored_file import StoredFile
from app.core.jobs.worker import Worker
from app.core.services import services
from tests.support.clients import ApiClient, Tenant


def objects_of(company: Tenant, app: Flask | None = None) -> set[str]:
    """``avatar.png`` and the like: the names of what storage has of a company."""
    with (app or company.app).app_context():
        keys = [each.key for each in services().storage.stored() if each.key.company_id == company.company_id]
    names = [key.path.rpartition("/")[2] for key in keys]
    assert len(names) == len(set(names)), f"some of several uploads: {keys}"
    return set(names)


def all_of(field: str) -> set[str]:
    return {f"{field}.png", f"{field}-64.png", f"{field}-128.png", f"{field}-256.png"}


def files_of(company: Tenant) -> list[UUID]:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False) as session:
        return list(session.scalars(select(StoredFile.id)).all())


def drained(app: Flask) -> int:
    """Works off the outbox; how many jobs there were."""
    return Worker(app).drain()


def avatar_of(client: ApiClient) -> str:
    return f"/users/{client.user_id}/avatar"


def flag_of(client: ApiClient) -> tuple[bool, str | None]:
    found = client.get("/users/me").get_json()
    return found["has_avatar"], found["avatar_file_id"]
