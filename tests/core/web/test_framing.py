"""Bodies that do not end as they should: nothing of them is executed."""

import io
import json
import socket
from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.across.faults.service import Service
from tests.core.web.sending import refused
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json, Maker, routes_of, rows_of
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.waiting import PATIENCE_SECONDS

MALFORMED = (400, "MALFORMED_BODY")
NOT_OWN_AVATAR = (403, "ACCESS_DENIED")
WRITES = ("POST", "PUT", "PATCH", "DELETE")
CHUNKED = {"wsgi.input_terminated": True, "HTTP_TRANSFER_ENCODING": "chunked"}
kinds = by_row("kind", ("application/json", "multipart/form-data; boundary=x", "text/plain", ""))


class BrokenChunk(io.BytesIO):
    """What a server hands out whose client sends no chunk size: some bytes, then an error of its own."""

    def read(self, size: int | None = -1) -> bytes:
        if data := super().read(size):
            return data
        raise RuntimeError("Invalid chunk size.")


@one_database
@kinds
def test_no_operation_is_executed_with_a_malformed_chunk(app: Flask, acme: Tenant, kind: str) -> None:
    check_refused(app, acme, kind, BrokenChunk, CHUNKED)


@one_database
@kinds
def test_no_operation_is_executed_with_a_body_shorter_than_announced(app: Flask, acme: Tenant, kind: str) -> None:
    check_refused(app, acme, kind, io.BytesIO, {"CONTENT_LENGTH": "100"})


def check_refused(app: Flask, acme: Tenant, kind: str, body: Callable[[bytes], io.BytesIO], environ: Json) -> None:
    """That no writing operation takes such a body, and no row has changed."""
    maker = Maker(app, acme)
    targets = [(route, maker.path(route.path)) for route in routes_of(app) if route.method in WRITES]
    before = rows_of(app, acme.company_id)

    for route, path in targets:
        client = acme.admin if route.endpoint.access != "public" else ApiClient(app)
        options = {"content_type": kind, "environ_overrides": environ}
        answer = client.request(route.method, path, input_stream=body(b"{}"), **options)
        assert refused(answer) in (MALFORMED, NOT_OWN_AVATAR), (route.method, path)

    assert rows_of(app, acme.company_id) == before


@one_database
def test_a_body_that_ends_where_it_should_is_taken_without_its_length(acme: Tenant) -> None:
    answer = acme.admin.post(
        "/customers",
        input_stream=io.BytesIO(b'{"name": "a"}'),
        content_type="application/json",
        environ_overrides=CHUNKED,
    )

    assert answer.status_code == 201


@pytest.fixture(scope="module")
def service(database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with Service(tmp_path_factory.mktemp("service"), DATABASE_URL=database_url, WEB_CONCURRENCY="1") as started:
        yield started


CHUNKS = {
    "no number": b"zz\r\n{}\r\n0\r\n\r\n",
    "a negative size": b"-2\r\n{}\r\n0\r\n\r\n",
    "a sign": b"+2\r\n{}\r\n0\r\n\r\n",
    "a prefix": b"0x2\r\n{}\r\n0\r\n\r\n",
    "no size": b"\r\n{}\r\n0\r\n\r\n",
    "a line feed alone": b"2\n{}\n0\n\n",
    "more than its size": b"2\r\n{}   \r\n0\r\n\r\n",
    "a bad extension": b"2;\x00\r\n{}\r\n0\r\n\r\n",
    "cut off in a chunk": b"ff\r\n{}",
    "cut off before the last chunk": b"2\r\n{}\r\n",
    "cut off after the last chunk": b"2\r\n{}\r\n0\r\n",
    "very many chunks": b"1\r\n \r\n" * 17_000 + b"2\r\n{}\r\n0\r\n\r\n",
    "a bad trailer": b"2\r\n{}\r\n0\r\nContent Length: 1\r\n\r\n",
}
WRONG = {what: (b"Transfer-Encoding: chunked", chunks) for what, chunks in CHUNKS.items()}
WRONG["shorter than announced"] = (b"Content-Length: 3", b"{}")


@one_database
@by_row(("header", "body"), WRONG.values(), ids=WRONG)
def test_a_server_answers_wrong_framing_with_a_problem(service: Service, header: bytes, body: bytes) -> None:
    head = b"POST /auth/logout HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\n" + header + b"\r\n\r\n"

    with socket.create_connection(("127.0.0.1", service.port())) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(head + body)
        connection.shutdown(socket.SHUT_WR)
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 400 ")
    assert json.loads(answer.partition(b"\r\n\r\n")[2])["error_code"] == "MALFORMED_BODY"
    assert "Traceback" not in service.log()


@one_database
def test_a_server_takes_a_body_in_a_few_thousand_chunks(service: Service) -> None:
    head = b"POST /auth/logout HTTP/1.1\r\nHost: here\r\nContent-Type: application/json\r\nConnection: close\r\n"
    chunks = b"1\r\n \r\n" * 3900 + b"2\r\n{}\r\n0\r\n\r\n"

    with socket.create_connection(("127.0.0.1", service.port())) as connection:
        connection.settimeout(PATIENCE_SECONDS)
        connection.sendall(head + b"Transfer-Encoding: chunked\r\n\r\n" + chunks)
        answer = connection.makefile("rb").read()

    assert answer.startswith(b"HTTP/1.1 200 ")
