"""Storage, database and processes fail in the middle of it: no document without a file, no file without one."""

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import delete, select

from app.clients.storage.local import LocalStorage
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.files.stored_file import StoredFile
from app.customers.documents.resources import CustomerDocument
from tests.core.files.conftest import fake, variant
from tests.core.files.stored import drained, files_of, objects_of
from tests.core.files.test_faults import failing
from tests.customers.documents.files import PDF, TEXT, document, send
from tests.customers.documents.kept import elsewhere, totals
from tests.customers.dossier import Json, customer, ids
from tests.fakes.guardian import answers, hangs
from tests.fakes.storage import FakeStorage
from tests.support.clients import Tenant
from tests.support.engine_events import lost_commit
from tests.support.marks import flaky, one_database
from tests.support.variants import Variant

__all__ = ["fake", "variant"]
AMPLE, TIMEOUT = 30.0, 1.2
Service = Callable[[float], Tenant]


def is_clean(company: Tenant, owner: str) -> bool:
    """Nothing is there, in the database or in storage, and nothing is counted."""
    return (ids(company, f"{owner}/documents"), files_of(company), totals(company), objects_of(company)) == (
        [],
        [],
        (0, 0),
        set(),
    )


@pytest.fixture
def keeping_elsewhere(variant: Variant, fake: FakeStorage, acme: Tenant) -> Service:
    """The company at a service that waits for its storage for so many seconds."""
    environ = {"STORAGE_BACKEND": "service", "STORAGE_SERVICE_URL": fake.url}
    return lambda seconds: elsewhere(variant(**environ, STORAGE_REQUEST_TIMEOUT=str(seconds)), acme)


@flaky
@one_database
@pytest.mark.parametrize(
    ("behaviour", "status"),
    [(hangs, 504), (answers(507, {}), 503), (answers(500, {}), 502), (answers(200, b"<html>", "text/html"), 502)],
    ids=["hangs", "full", "crashes", "answers HTML"],
)
def test_a_storage_that_fails_keeps_no_document_and_loses_none(
    keeping_elsewhere: Service, fake: FakeStorage, behaviour: Any, status: int
) -> None:
    kept_elsewhere, asking = keeping_elsewhere(AMPLE), keeping_elsewhere(TIMEOUT if status == 504 else AMPLE)
    owner = customer(kept_elsewhere)
    made = document(kept_elsewhere, owner)
    fake.behaviour = behaviour

    upload, download = send(asking.admin, owner), asking.admin.get(f"{made['path']}/download")
    metadata = asking.admin.get(made["path"])

    assert [each.status_code for each in (upload, download, metadata)] == [status, status, 200]
    assert ids(kept_elsewhere, f"{owner}/documents") == [made["id"]]
    assert totals(kept_elsewhere) == (len(PDF), len(PDF))
    fake.behaviour = fake.serve
    assert asking.admin.get(f"{made['path']}/download").data == PDF


@one_database
def test_without_a_storage_files_are_unavailable_and_the_rest_is_not(variant: Variant, acme: Tenant) -> None:
    owner = customer(acme)
    made = document(acme, owner)
    there = elsewhere(variant(STORAGE_BACKEND="none"), acme)

    refused = [send(there.admin, owner), there.admin.get(f"{made['path']}/download")]

    assert [(each.status_code, each.get_json()["error_code"]) for each in refused] == [(503, "STORAGE_DISABLED")] * 2
    assert there.admin.get(made["path"]).status_code == there.admin.get(f"{owner}/export").status_code == 200


@pytest.fixture
def alone(variant: Variant, acme: Tenant, tmp_path: Path) -> Tenant:
    """The company at a service whose storage nobody else has."""
    return elsewhere(variant(STORAGE_PATH=str(tmp_path)), acme)


def file_of(company: Tenant, made: Json) -> UUID:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False) as session:
        wanted = select(CustomerDocument.file_id).where(CustomerDocument.id == UUID(made["id"]))
        return session.scalars(wanted).one()


@one_database
def test_a_file_that_is_gone_or_has_another_size_is_not_sent(alone: Tenant, tmp_path: Path) -> None:
    made = [document(alone) for _ in range(2)]
    gone, other = (next(tmp_path.rglob(f"{file_of(alone, each)}/document.pdf")) for each in made)

    gone.unlink()
    other.write_bytes(PDF[:-1])

    answers = [alone.admin.get(f"{each['path']}/download") for each in made]
    assert [(each.status_code, each.get_json()["error_code"]) for each in answers] == [
        (404, "FILE_NOT_FOUND"),
        (502, "BAD_GATEWAY"),
    ]


@pytest.mark.parametrize("statement", ["INSERT INTO stored_file", "INSERT INTO customer_document"])
def test_a_database_that_fails_after_the_upload_leaves_no_file(acme: Tenant, statement: str) -> None:
    owner = customer(acme)

    with failing(acme.app, statement):
        answer = send(acme.admin, owner)

    assert answer.status_code == 503
    assert is_clean(acme, owner)


@pytest.mark.parametrize("is_committed", [True, False])
def test_when_a_connection_is_lost_while_committing_the_database_is_asked(acme: Tenant, is_committed: bool) -> None:
    owner = customer(acme)

    with lost_commit(acme.app, "INSERT INTO customer_document", is_committed=is_committed):
        answer = send(acme.admin, owner)

    assert answer.status_code == 503
    if is_committed:
        [made] = ids(acme, f"{owner}/documents")
        assert acme.admin.get(f"{owner}/documents/{made}/download").data == PDF
    else:
        assert is_clean(acme, owner)


def test_a_customer_that_is_deleted_while_its_document_is_stored_gets_none(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    owner, put = customer(acme), LocalStorage.put

    def deleting(*arguments: Any) -> str:
        acme.admin.delete(owner)
        return put(*arguments)

    monkeypatch.setattr(LocalStorage, "put", deleting)
    answer = send(acme.admin, owner)

    assert (answer.status_code, answer.get_json()["error_code"]) == (404, "CUSTOMER_NOT_FOUND")
    assert (files_of(acme), totals(acme), objects_of(acme)) == ([], (0, 0), set())


# Crashes


def dying(company: Tenant, owner: str, *, stored: bool) -> int:
    """An upload by a process that is killed when its file is about to be, or has been, stored. Its exit code."""
    with company.app.app_context():
        engine = db.engine
    child = os.fork()
    if child:
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    try:
        engine.dispose(close=False)
        _die_in(company, owner, LocalStorage.put if stored else lambda *_: "")
    finally:
        os._exit(1)


def _die_in(company: Tenant, owner: str, put: Callable[..., str]) -> None:
    def killed(*arguments: Any) -> None:
        put(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)

    signal.alarm(30)
    LocalStorage.put = killed  # type: ignore[method-assign, assignment]
    send(company.admin, owner)


@one_database
@pytest.mark.parametrize("stored", [False, True])
def test_a_process_that_dies_in_an_upload_leaves_nothing_but_what_the_check_finds(
    alone: Tenant, tmp_path: Path, stored: bool
) -> None:
    owner = customer(alone)

    assert dying(alone, owner, stored=stored) == -signal.SIGKILL

    assert (ids(alone, f"{owner}/documents"), files_of(alone), totals(alone)) == ([], [], (0, 0))
    for path in tmp_path.rglob("*.pdf"):
        os.utime(path, (0, 0))
    found = alone.app.test_cli_runner().invoke(args=["storage", "check", "--repair"])
    assert [line.split()[0] for line in found.output.splitlines()] == (["orphan", "removed:"] if stored else [])
    assert objects_of(alone) == set()


@one_database
def test_the_check_names_documents_without_a_file_and_leaves_them(alone: Tenant, tmp_path: Path) -> None:
    made, unknown = document(alone), document(alone, "", TEXT, "b.txt")
    file_id = file_of(alone, unknown)
    with alone.app.app_context(), tenant(alone.company_id), unit_of_work() as session:
        session.execute(delete(StoredFile).where(StoredFile.id == file_id))
    for path in [each for each in tmp_path.rglob("*") if each.is_file()]:
        path.unlink()

    found = alone.app.test_cli_runner().invoke(args=["storage", "check", "--repair"]).output

    assert [line.split()[0] for line in found.splitlines()] == ["missing", "left", "unknown", "left"]
    assert f"customer_document {unknown['id']}" in found
    assert alone.admin.get(made["path"]).status_code == alone.admin.get(unknown["path"]).status_code == 200
    assert drained(alone.app) == 0
