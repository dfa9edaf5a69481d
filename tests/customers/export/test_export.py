"""GET /customers/{id}/export: all of it, or a manifest that says what is missing."""

import json
from collections.abc import Iterator
from datetime import date
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Any
from uuid import UUID
from zipfile import BadZipFile, ZipFile

import pytest
from flask import Flask
from sqlalchemy import event
from uuid_utils.compat import uuid7

from app.clients.storage.interface import CHUNK_BYTES
from app.clients.storage.local import LocalStorage
from app.core.db.models import Model, db, referrers
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.customers.export.archive import FILE_UNREADABLE, MANIFEST, Export
from app.customers.export.resources import COLLECTIONS, PAGE, REQUIRED_PERMISSIONS
from app.customers.models import Customer
from app.customers.parts.services import CustomerService
from tests.customers.documents.files import PDF, TEXT, document
from tests.customers.dossier import PARTS, SERVICE, customer, tag
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.pictures import picture, upload
from tests.support.roles import user_with
from tests.support.variants import Variant, variant

__all__ = ["variant"]

EXPORTER = ["identity:customer_export:READ", *(":".join(("identity", *each)) for each in REQUIRED_PERMISSIONS)]


def exported(company: Tenant, owner: str) -> ZipFile:
    answer = company.admin.get(f"{owner}/export")
    assert answer.status_code == 200, answer.text
    found = ZipFile(BytesIO(answer.data))
    assert found.testzip() is None
    return found


def read(archive: ZipFile, name: str) -> Any:
    return json.loads(archive.read(name))


@pytest.fixture
def owner(acme: Tenant) -> str:
    """A customer with one of everything."""
    found = customer(acme, email="ada@example.com")
    for part, values in PARTS.items():
        acme.admin.create(f"{found}/{part}", values)
    acme.admin.create(f"{found}/services", SERVICE)
    acme.admin.put(f"{found}/subscription-state", {"state": "trial"})
    acme.admin.post(f"{found}/tags/{tag(acme)['id']}")
    return found


def test_an_export_has_every_part_every_file_and_a_manifest_of_them(acme: Tenant, owner: str) -> None:
    other = customer(acme)
    acme.admin.create(f"{other}/notes", {"body": "Somebody else's."})
    first, second = document(acme, owner, PDF, "passport.pdf"), document(acme, owner, TEXT, "Vertrag Größe.txt")
    upload(acme.admin, f"{owner}/logo", picture())

    answer = acme.admin.get(f"{owner}/export")
    archive = exported(acme, owner)

    assert answer.mimetype == "application/zip"
    name = owner.rpartition("/")[2]
    assert answer.headers["Content-Disposition"] == f"attachment; filename=customer-{name}.zip"
    assert (answer.headers["Cache-Control"], answer.headers["Content-Security-Policy"]) == ("no-store", "sandbox")
    files = {f"documents/{first['id']}/passport.pdf": PDF, f"documents/{second['id']}/Vertrag Größe.txt": TEXT}
    assert {each: archive.read(each) for each in files} == files
    assert archive.read("logo.png") == acme.admin.get(f"{owner}/logo").data
    assert read(archive, "customer.json") == acme.admin.get(owner).get_json()
    for part in ("addresses", "contacts", "communication-preferences", "documents", "notes", "services", "tags"):
        assert read(archive, f"{part}.json") == acme.admin.get(f"{owner}/{part}").get_json()["data"], part
    assert [row["new_state"] for row in read(archive, "subscription-history.json")] == ["trial"]
    assert [row["topic"] for row in read(archive, "consent-history.json")] == ["outage"]


def test_the_manifest_tells_the_size_and_sha_256_of_every_other_file(acme: Tenant, owner: str) -> None:
    document(acme, owner)

    archive = exported(acme, owner)

    manifest = read(archive, "manifest.json")
    assert archive.namelist()[-1] == "manifest.json"
    assert (manifest["customer_id"], manifest["is_complete"]) == (owner.rpartition("/")[2], True)
    assert manifest["exported_by"] == acme.admin.user_id
    described = {line["name"]: (line["size"], line["sha256"], line["fault"]) for line in manifest["files"]}
    contents = {name: archive.read(name) for name in archive.namelist()[:-1]}
    assert described == {name: (len(data), sha256(data).hexdigest(), None) for name, data in contents.items()}


def test_every_table_that_is_about_a_customer_is_exported() -> None:
    about = {model.__tablename__ for model, _ in referrers(Customer)}
    about |= {name for name, table in Model.metadata.tables.items() if "customer_id" in table.c}

    # A tag on a customer shows as the tag.
    assert about - {each.model.__tablename__ for each in COLLECTIONS.values()} == {"customer_tag"}


def test_parts_of_more_than_a_page_are_whole_and_in_order(acme: Tenant, owner: str, statements: Any) -> None:
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work() as session:
        whose = UUID(owner.rpartition("/")[2])
        rows = (
            CustomerService(customer_id=whose, description=str(n), performed_on=date(2025, 1, 1))
            for n in range(2 * PAGE)
        )
        session.add_all(rows)

    with statements() as sent:
        archive = exported(acme, owner)

    descriptions = [row["description"] for row in read(archive, "services.json")]
    assert descriptions == [SERVICE["description"], *map(str, range(2 * PAGE))]
    assert len(sent) < 40


# Who may


def test_whoever_exports_may_see_every_part_by_itself(acme: Tenant, owner: str) -> None:
    document(acme, owner)

    assert user_with(acme, *EXPORTER).get(f"{owner}/export").status_code == 200
    for lacking in EXPORTER:
        refused = user_with(acme, *(each for each in EXPORTER if each != lacking)).get(f"{owner}/export")
        assert (refused.status_code, refused.get_json()["error_code"]) == (403, "ACCESS_DENIED"), lacking


def test_who_reads_everything_by_default_does_not_export(acme: Tenant, owner: str) -> None:
    for code in ("manager", "viewer", "customer"):
        refused = acme.user(code).get(f"{owner}/export")
        assert (refused.status_code, refused.get_json()["error_code"]) == (403, "ACCESS_DENIED"), code


@one_database
def test_a_client_exports_ten_times_an_hour(acme: Tenant, owner: str, variant: Variant) -> None:
    client = ApiClient(variant(RATELIMIT_ENABLED="true"), acme.admin.token)

    statuses = [client.get(f"{owner}/export").status_code for _ in range(11)]

    assert statuses == [200] * 10 + [429]


def test_a_customer_of_another_company_is_not_found(acme: Tenant, globex: Tenant, owner: str) -> None:
    answers = [globex.admin.get(f"{owner}/export"), acme.admin.get(f"/customers/{uuid7()}/export")]

    assert [(each.status_code, each.get_json()["error_code"]) for each in answers] == [(404, "CUSTOMER_NOT_FOUND")] * 2


# What cannot be read


def path_in_storage(company: Tenant, made: dict[str, Any]) -> Path:
    with company.app.app_context():
        storage: Any = services().storage
        [key] = [each.key for each in storage.stored() if each.key.company_id == company.company_id]
        found: Path = storage._path(key)
    assert found.read_bytes()[: made["size"]]
    return found


def fault_of(archive: ZipFile, name: str) -> str | None:
    manifest = read(archive, "manifest.json")
    [line] = [each for each in manifest["files"] if each["name"] == name]
    assert manifest["is_complete"] is (line["fault"] is None)
    found: str | None = line["fault"]
    return found


def test_a_document_that_is_gone_from_storage_is_named_in_the_manifest(acme: Tenant, owner: str) -> None:
    made = document(acme, owner)
    path_in_storage(acme, made).unlink()

    archive = exported(acme, owner)

    name = f"documents/{made['id']}/scan.pdf"
    assert fault_of(archive, name) == "FILE_NOT_FOUND"
    assert name not in archive.namelist()
    assert len(read(archive, "documents.json")) == 1


def test_a_document_that_is_not_what_was_sent_is_named_in_the_manifest(acme: Tenant, owner: str) -> None:
    made = document(acme, owner)
    path_in_storage(acme, made).write_bytes(PDF + b"more")

    archive = exported(acme, owner)

    name = f"documents/{made['id']}/scan.pdf"
    assert fault_of(archive, name) == "FILE_DAMAGED"
    assert archive.read(name) == PDF + b"more"


def test_a_document_that_cannot_be_read_to_the_end_does_not_break_the_rest_off(
    acme: Tenant, owner: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made, other = document(acme, owner, PDF + bytes(9 * CHUNK_BYTES) + b"%%EOF"), document(acme, owner, TEXT, "b.txt")
    with acme.app.app_context():
        storage = services().storage
    opened = storage.open

    def failing(*arguments: Any, **options: Any) -> Any:
        content = opened(*arguments, **options)
        if content.size == made["size"]:
            content.file = Failing(content.file)
        return content

    monkeypatch.setattr(storage, "open", failing)
    archive = exported(acme, owner)

    assert fault_of(archive, f"documents/{made['id']}/scan.pdf") == "FILE_UNREADABLE"
    assert archive.read(f"documents/{other['id']}/b.txt") == TEXT


class Failing:
    """A disk that fails after some blocks."""

    def __init__(self, file: Any) -> None:
        self.file, self.left = file, 3

    def __enter__(self) -> Any:
        return self.file.__enter__() and self

    def __exit__(self, *error: object) -> None:
        self.file.__exit__(*error)

    def read(self, size: int) -> Any:
        self.left -= 1
        if self.left < 0:
            raise OSError(5, "Input/output error")
        return self.file.read(size)


# While it is sent


@pytest.fixture
def checked_out(app: Flask) -> Iterator[list[int]]:
    """How many connections to the database are in use; its one element is the number now."""
    with app.app_context():
        pool = db.engine.pool
    now = [0]

    def taken(*_: Any) -> None:
        now[0] += 1

    def given_back(*_: Any) -> None:
        now[0] -= 1

    event.listen(pool, "checkout", taken)
    event.listen(pool, "checkin", given_back)
    yield now
    event.remove(pool, "checkout", taken)
    event.remove(pool, "checkin", given_back)


def test_no_connection_is_held_while_the_client_reads(acme: Tenant, owner: str, checked_out: list[int]) -> None:
    document(acme, owner)

    answer = acme.admin.get(f"{owner}/export", buffered=False)
    first = next(iter(answer.response))

    assert first.startswith(b"PK")
    assert checked_out == [0]
    answer.close()


def test_what_is_broken_off_does_not_look_whole(acme: Tenant, owner: str) -> None:
    document(acme, owner)
    whole = acme.admin.get(f"{owner}/export").data

    for end in (len(whole) // 2, len(whole) - 1):
        with pytest.raises(BadZipFile):
            ZipFile(BytesIO(whole[:end]))


def test_names_of_documents_lead_nowhere_when_the_archive_is_unpacked(acme: Tenant, owner: str) -> None:
    for name in ("../../etc/passwd", "..\\..\\a.pdf", "..", "/root/.ssh/id.pdf", "C:\\a.pdf"):
        document(acme, owner, PDF, name)

    names = [name for name in exported(acme, owner).namelist() if name.startswith("documents/")]

    assert len(names) == 5
    assert all(len(name.split("/")) == 3 and ".." not in name.split("/") and "\\" not in name for name in names)


def test_a_spooled_file_that_cannot_be_read_does_not_shift_the_next_ones() -> None:
    rows = Unreadable(b"A" * 100_000 + b"BBBB")
    export = Export({"customer_id": "x"}, rows, {"a": 100_000, "b": 4}, [], LocalStorage("unused"), 1.0, "")

    archive = ZipFile(BytesIO(b"".join(export.stream())))

    assert archive.read("b") == b"BBBB"
    assert [file["fault"] for file in read(archive, MANIFEST)["files"]] == [FILE_UNREADABLE, None]


class Unreadable(BytesIO):
    """The second piece cannot be read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() == CHUNK_BYTES:
            raise OSError("Input/output error")
        return super().read(size)
