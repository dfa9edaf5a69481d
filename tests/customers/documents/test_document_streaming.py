"""Large documents through a real gunicorn: its memory, and what a client sees when it dies in the middle."""

import signal
from collections.abc import Iterator
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile, ZipFile

import psutil
import pytest
import requests
import urllib3

from tests.across.faults.service import Service
from tests.core.files.test_hostile import Watcher
from tests.customers.documents.files import TYPE
from tests.customers.dossier import customer
from tests.support.clients import Tenant
from tests.support.http import send
from tests.support.marks import one_database
from tests.support.waiting import wait_for

pytestmark = one_database
MB = 1024 * 1024
MOST_GROWTH = 30 * MB
LARGE = b"%PDF-1.7\n" + sha256(b"x").digest() * (20 * MB // 32 - 1) + b"%%EOF"


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    folder = tmp_path_factory.mktemp("service")
    with Service(folder, DATABASE_URL=database_url, WEB_CONCURRENCY="1", STORAGE_PATH=str(folder / "kept")) as started:
        yield started


def http(service: Service, company: Tenant, method: str, path: str, **options: object) -> requests.Response:
    headers = {"Authorization": f"Bearer {company.admin.token}"} | options.pop("headers", {})  # type: ignore[operator]
    return send(method, f"{service.url}{path}", headers=headers, **options)


def uploaded(service: Service, company: Tenant, owner: str, data: bytes = LARGE) -> str:
    """The path of a new document."""
    files = {"file": ("large.pdf", data, "application/pdf")}
    answer = http(service, company, "POST", f"{owner}/documents", data={"document_type": TYPE}, files=files)
    assert answer.status_code == 201, answer.text
    return f"{owner}/documents/{answer.json()['id']}"


def test_a_document_of_20_mb_goes_in_and_out_in_little_memory(service: Service, acme: Tenant) -> None:
    owner = customer(acme)
    uploaded(service, acme, owner, b"The first one loads what is loaded once.")

    with Watcher(service) as watcher:
        wait_for(lambda: watcher.sizes)
        path = uploaded(service, acme, owner)
        uploaded(service, acme, owner)
        whole = http(service, acme, "GET", f"{path}/download").content
        middle = {"Range": f"bytes={5 * MB}-{15 * MB - 1}"}
        part = http(service, acme, "GET", f"{path}/download", headers=middle).content
        export = http(service, acme, "GET", f"{owner}/export").content

    print(f"{watcher.growth / MB:.1f} MB")
    assert (whole == LARGE, part == LARGE[5 * MB : 15 * MB]) == (True, True)
    assert ZipFile(BytesIO(export)).testzip() is None
    assert len(export) > 2 * len(LARGE)
    assert watcher.growth < MOST_GROWTH


def test_an_export_that_is_broken_off_by_a_crash_is_seen_to_be(service: Service, acme: Tenant, tmp_path: Path) -> None:
    owner = customer(acme)
    for _ in range(3):
        uploaded(service, acme, owner)
    answer = http(service, acme, "GET", f"{owner}/export", stream=True)
    received = bytearray(answer.raw.read(MB))

    [worker] = psutil.Process(service.pid).children()
    worker.send_signal(signal.SIGKILL)

    with pytest.raises(urllib3.exceptions.HTTPError):
        read_on(answer, received)
    assert received.startswith(b"PK")
    with pytest.raises(BadZipFile):
        ZipFile(BytesIO(received))


def read_on(answer: requests.Response, received: bytearray) -> None:
    while chunk := answer.raw.read(MB):
        received += chunk
