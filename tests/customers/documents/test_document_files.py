"""The files of documents: parts of them, and their names on the way out."""

from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
from flask import Flask
from werkzeug.http import parse_options_header

from app.clients.storage.interface import Content
from app.core.files.download import disposition, download
from tests.core.files.conftest import BACKENDS, Environ, environ_of, fake, s3, variant
from tests.core.files.stored import drained, objects_of
from tests.customers.documents.files import PDF, TYPE, document
from tests.customers.documents.kept import elsewhere
from tests.customers.dossier import customer
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

__all__ = ["environ_of", "fake", "s3", "variant"]
pytestmark = one_database
DATA = bytes(range(32, 127)) * 2000
SIZE = len(DATA)


# Parts (RFC 9110, section 14)


@pytest.mark.parametrize(
    ("wanted", "start", "end"),
    [
        ("bytes=0-0", 0, 1), ("bytes=10-19", 10, 20), ("bytes=100-", 100, SIZE), ("bytes=-5", SIZE - 5, SIZE),
        (f"bytes=5-{SIZE * 9}", 5, SIZE), (f"bytes=-{SIZE * 9}", 0, SIZE), (f"bytes=0-{SIZE - 1}", 0, SIZE),
    ],
)  # fmt: skip
def test_a_part_is_sent_with_its_place_in_the_whole(acme: Tenant, wanted: str, start: int, end: int) -> None:
    path = f"{document(acme, '', DATA, 'a.txt')['path']}/download"

    answer = acme.admin.get(path, headers={"Range": wanted})

    assert (answer.status_code, answer.data) == (206, DATA[start:end])
    assert answer.headers["Content-Range"] == f"bytes {start}-{end - 1}/{SIZE}"
    assert answer.headers["Content-Length"] == str(end - start)
    assert answer.headers["Content-Disposition"] == "attachment; filename=a.txt"


@pytest.mark.parametrize("byte_range", [None, (10, 20)], ids=["whole", "part"])
def test_a_client_that_leaves_before_the_first_byte_leaves_no_file_open(
    byte_range: tuple[int, int] | None, tmp_path: Path
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(DATA)
    length = SIZE if byte_range is None else 10
    with path.open("rb") as file, Flask(__name__).test_request_context() as context:
        response = download(
            Content(file, SIZE, length), byte_range, size=SIZE, name="a.txt", media_type="text/plain", tag="1"
        )
        response.get_app_iter(context.request.environ).close()  # type: ignore[attr-defined]

        assert file.closed


@pytest.mark.parametrize("wanted", [f"bytes={SIZE}-", f"bytes={SIZE + 5}-{SIZE + 9}", "bytes=-0"])
def test_a_part_that_is_not_there_is_refused_with_the_size(acme: Tenant, wanted: str) -> None:
    path = f"{document(acme, '', DATA, 'a.txt')['path']}/download"

    answer = acme.admin.get(path, headers={"Range": wanted})

    assert (answer.status_code, answer.get_json()["error_code"]) == (416, "RANGE_NOT_SATISFIABLE")
    assert answer.headers["Content-Range"] == f"bytes */{SIZE}"


@by_row(
    "wanted", ["bytes=9-5", "bytes=a-b", "lines=1-2", "bytes=0-1,5-6", "bytes=", "bytes=--5", "bytes=0-1, 2-3, -1", "5"]
)
def test_what_is_no_part_or_several_is_answered_with_the_whole(acme: Tenant, wanted: str) -> None:
    path = f"{document(acme, '', DATA, 'a.txt')['path']}/download"

    answer = acme.admin.get(path, headers={"Range": wanted})

    assert (answer.status_code, answer.data) == (200, DATA)


def test_a_part_of_another_version_is_not_sent(acme: Tenant) -> None:
    made = document(acme, "", DATA, "a.txt")
    path, tag = f"{made['path']}/download", f'"{made["sha256"]}"'

    def status(condition: str) -> int:
        return acme.admin.get(path, headers={"Range": "bytes=0-9", "If-Range": condition}).status_code

    assert status(tag) == 206
    for other in ('"0"', f"W/{tag}", made["sha256"], "Wed, 21 Oct 2099 07:28:00 GMT"):
        assert status(other) == 200, other


def test_a_file_that_the_caller_has_is_not_sent_again(acme: Tenant) -> None:
    made = document(acme)
    path, tag = f"{made['path']}/download", f'"{made["sha256"]}"'

    same = acme.admin.get(path, headers={"If-None-Match": tag})
    head = acme.admin.request("HEAD", path, headers={"Range": "bytes=0-9"})

    assert (same.status_code, same.data, same.headers["ETag"]) == (304, b"", tag)
    assert (head.status_code, head.data, head.headers["Content-Length"]) == (200, b"", str(len(PDF)))


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_storage_keeps_sends_parts_of_and_removes_documents(
    variant: Variant, environ_of: Callable[[str], Environ], acme: Tenant, fake: Any, backend: str
) -> None:
    there = elsewhere(variant(**environ_of(backend)), acme)
    made = document(there, "", DATA, "a.txt")
    path = made["path"]

    whole = there.admin.get(f"{path}/download")
    part = there.admin.get(f"{path}/download", headers={"Range": "bytes=1000-1999"})
    exported = there.admin.get(f"{path.partition('/documents')[0]}/export")

    assert (whole.data, part.status_code, part.data) == (DATA, 206, DATA[1000:2000])
    assert b'"is_complete"' not in exported.data
    assert DATA in exported.data
    assert there.admin.delete(path).status_code == 204
    assert drained(there.app) == 1
    assert fake.objects == {} if backend == "service" else objects_of(there) == set()


def test_documents_of_the_local_storage_can_have_a_folder_of_their_own(
    variant: Variant, acme: Tenant, tmp_path: Any
) -> None:
    there = elsewhere(variant(CUSTOMER_DOCUMENT_PATH=str(tmp_path)), acme)
    made = document(there)

    [kept] = [path for path in tmp_path.rglob("*") if path.is_file()]

    assert (kept.name, kept.read_bytes()) == ("document.pdf", PDF)
    assert "scan" not in str(kept)
    assert there.admin.get(f"{made['path']}/download").data == PDF


# Names on the way out (RFC 6266, RFC 8187)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ("Größe.pdf", "Groe.pdf"),
        ("契約書.pdf", "pdf"),
        ("100%25.pdf", "100_25.pdf"),
        ("a;b=c.pdf", "a;b=c.pdf"),
        ("€ rates.pdf", "rates.pdf"),
    ],
)
def test_a_name_reaches_old_and_new_readers(acme: Tenant, name: str, plain: str) -> None:
    made = document(acme, "", PDF, name)

    header = acme.admin.get(f"{made['path']}/download").headers["Content-Disposition"]

    kind, options = parse_options_header(header)
    assert (made["file_name"], kind) == (name, "attachment")
    assert header.isascii()
    if plain == name:
        assert options == {"filename": name}
    else:
        assert unquote(header.partition("filename*=UTF-8''")[2]) == name
        assert plain in header.partition("filename*")[0]


@by_row("name", ['a "quoted" name.pdf', "back\\slash.pdf", "a;b.pdf", 'x".exe', "a, b.pdf"])
def test_a_name_with_marks_of_the_header_itself_stays_one_name(name: str) -> None:
    assert parse_options_header(disposition(name)) == ("attachment", {"filename": name})


@pytest.mark.parametrize("name", ["a%0D%0ASet-Cookie:%20x=1.pdf", "a%00.pdf", "%E2%80%AEfdp.pdf", "..%2F..%2Fa.pdf"])
def test_an_encoded_name_brings_no_line_of_its_own(acme: Tenant, name: str) -> None:
    owner, boundary = customer(acme), "limit"
    head = f"Content-Disposition: form-data; name=\"file\"; filename*=UTF-8''{name}"
    form = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="document_type"\r\n\r\n{TYPE}\r\n'
        f"--{boundary}\r\n{head}\r\n\r\n".encode()
        + PDF
        + f"\r\n--{boundary}--\r\n".encode()
    )

    answer = acme.admin.post(f"{owner}/documents", data=form, content_type=f"multipart/form-data; boundary={boundary}")

    assert answer.status_code == 201
    download = acme.admin.get(f"{owner}/documents/{answer.get_json()['id']}/download")
    assert "Set-Cookie" not in download.headers
    assert all(each.isprintable() and each not in "/\\" for each in answer.get_json()["file_name"])
