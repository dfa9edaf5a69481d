"""How large and how many documents may be."""

from io import BytesIO
from typing import Any

import pytest

from app.clients.storage.local import LocalStorage
from app.customers.documents import files
from app.customers.documents.office_files import MB
from tests.core.files.conftest import environ_of, fake, s3, variant
from tests.core.files.stored import files_of, objects_of
from tests.customers.documents.files import TEXT, document, send
from tests.customers.documents.kept import elsewhere, totals
from tests.customers.dossier import customer, ids
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.variants import Variant

__all__ = ["environ_of", "fake", "s3", "variant"]


def padded(size: int) -> bytes:
    return b"%PDF-1.7\n" + bytes(size - 14) + b"%%EOF"


@one_database
def test_a_document_has_its_own_limit_which_may_be_above_that_of_other_bodies(variant: Variant, acme: Tenant) -> None:
    there = elsewhere(variant(MAX_DOCUMENT_SIZE_MB="2", MAX_CONTENT_LENGTH=str(MB)), acme)
    owner = customer(there)

    statuses = [send(there.admin, owner, padded(size)).status_code for size in (2 * MB, 2 * MB + 1, 4 * MB)]

    assert statuses == [201, 413, 413]
    assert len(files_of(there)) == 1


@one_database
def test_a_body_of_unknown_length_has_the_same_limit(variant: Variant, acme: Tenant) -> None:
    there = elsewhere(variant(MAX_DOCUMENT_SIZE_MB="1"), acme)
    owner, boundary = customer(there), "limit"
    form = f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="a.pdf"\r\n\r\n'.encode()

    answer = there.admin.post(
        f"{owner}/documents",
        input_stream=BytesIO(form + padded(3 * MB)),
        headers={"Content-Type": f"multipart/form-data; boundary={boundary}", "Transfer-Encoding": "chunked"},
        environ_overrides={"wsgi.input_terminated": True},
    )

    assert answer.status_code == 413
    assert (files_of(there), objects_of(there)) == ([], set())


def test_a_customer_has_at_most_a_hundred(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    assert files.MOST_DOCUMENTS == 100
    monkeypatch.setattr(files, "MOST_DOCUMENTS", 3)
    owner, other = customer(acme), customer(acme)
    made = [document(acme, owner) for _ in range(3)]

    refused = send(acme.admin, owner)
    elsewhere_ok = send(acme.admin, other)
    acme.admin.delete(made[0]["path"])
    again = send(acme.admin, owner)

    assert (refused.status_code, refused.get_json()["error_code"]) == (409, "TOO_MANY_DOCUMENTS")
    assert elsewhere_ok.status_code == again.status_code == 201
    assert len(files_of(acme)) == 4


def test_a_company_has_room_for_so_much_and_gets_it_back(variant: Variant, acme: Tenant, globex: Tenant) -> None:
    there = elsewhere(variant(DOCUMENT_QUOTA_MB="1"), acme)
    owner, leaving = customer(there), customer(there)
    first = document(there, owner, padded(400_000))
    document(there, leaving, padded(400_000))

    refused = send(there.admin, owner, padded(400_000))
    document(there, owner, padded(MB - 800_000))
    full = send(there.admin, owner, TEXT, "a.txt")

    assert [(each.status_code, each.get_json()["error_code"]) for each in (refused, full)] == [
        (409, "DOCUMENT_QUOTA_EXCEEDED")
    ] * 2
    assert totals(there) == (MB, MB)
    assert send(elsewhere(there.app, globex).admin, customer(globex)).status_code == 201
    there.admin.delete(leaving)
    there.admin.delete(first["path"])
    assert totals(there) == (MB - 800_000, MB - 800_000)
    assert len(ids(there, f"{owner}/documents")) == 1
    assert send(there.admin, owner, padded(800_000)).status_code == 201


@one_database
def test_what_has_no_room_never_reaches_the_storage(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    put: list[Any] = []
    monkeypatch.setattr(files, "MOST_DOCUMENTS", 0)
    monkeypatch.setattr(LocalStorage, "put", lambda *arguments: put.append(arguments))

    assert send(acme.admin, customer(acme)).status_code == 409
    assert put == []
