"""Bodies that do not end as they should: nothing of them is executed."""

import io
from collections.abc import Callable

from flask import Flask

from tests.core.web.sending import refused
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json, Maker, routes_of, rows_of
from tests.support.marks import one_database
from tests.support.rows import by_row

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
