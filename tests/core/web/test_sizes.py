"""Bodies that are refused for their size before they are parsed."""

import io
import json
import tracemalloc
from typing import Any
from uuid import UUID

from flask import Flask
from uuid_utils.compat import uuid7

from app.core.web.endpoint import PUBLIC_BYTES
from app.core.wire.stream import KB, MB
from tests.core.web.sending import refused, send
from tests.support.clients import ApiClient, Tenant, sign_in
from tests.support.declared import Maker, routes_of
from tests.support.marks import one_database
from tests.support.rows import by_row
from tests.support.variants import Variant, variant

__all__ = ["variant"]

TOO_LARGE = (413, "PAYLOAD_TOO_LARGE")
WRITES = ("POST", "PUT", "PATCH", "DELETE")


def body_of(size: int, **members: Any) -> bytes:
    return json.dumps(members).encode().ljust(size)


@one_database
def test_no_public_operation_takes_more_than_16_kb(app: Flask, anonymous: ApiClient) -> None:
    for route in routes_of(app):
        if route.method in WRITES and route.endpoint.access == "public":
            answer = send(anonymous, body_of(PUBLIC_BYTES + 1), route.path, route.method)

            assert refused(answer) == TOO_LARGE, route.path
            assert answer.get_json()["detail"] == "The body is larger than 16 KB."


@one_database
def test_no_operation_takes_more_json_than_1_mb(app: Flask, acme: Tenant) -> None:
    maker = Maker(app, acme)

    for route in routes_of(app):
        if route.method in WRITES and route.endpoint.access != "public":
            admin = sign_in(app, acme.company_id, UUID(acme.admin.user_id), acme.admin.email)
            answer = send(admin, body_of(MB + 1), maker.path(route.path), route.method)

            assert refused(answer) == TOO_LARGE, route
            assert answer.get_json()["detail"] == "The body is larger than 1 MB."


@one_database
def test_the_limit_itself_is_taken(anonymous: ApiClient, acme: Tenant) -> None:
    assert send(anonymous, body_of(16 * KB), "/auth/logout").status_code == 200
    assert send(acme.admin, body_of(MB, name="a")).status_code == 201


@one_database
def test_a_setting_limits_json(variant: Variant, acme: Tenant) -> None:
    admin = ApiClient(variant(MAX_JSON_LENGTH="2000"), acme.admin.token)

    assert send(admin, body_of(2000, name="a")).status_code == 201
    assert refused(send(admin, body_of(2001, name="a"))) == TOO_LARGE
    assert refused(send(admin, body_of(2001), "/auth/logout")) == TOO_LARGE


class Counted(io.BytesIO):
    """A body that counts the attempts to read it."""

    reads = 0

    def read(self, size: int | None = -1) -> bytes:
        self.reads += 1
        return super().read(size)


@one_database
def test_an_announced_length_is_refused_before_the_first_byte(anonymous: ApiClient) -> None:
    body, announced = Counted(b"{}"), {"CONTENT_LENGTH": str(PUBLIC_BYTES + 1)}

    answer = anonymous.post("/auth/logout", input_stream=body, environ_overrides=announced)

    assert refused(answer) == TOO_LARGE
    assert body.reads == 0


EMPTY_LISTS = b'{"x": [' + b"[]," * 19_998
CROWDED = {
    "empty lists": EMPTY_LISTS + b"[]]}",
    "empty objects": EMPTY_LISTS.replace(b"[]", b"{}") + b"{}]}",
    "empty lists with space": EMPTY_LISTS.replace(b"[]", b"[ \n]") + b"[]]}",
    "numbers": b'{"x": [' + b"1," * 19_998 + b"1]}",
    "lists of one": b'{"x": [' + b"[1]," * 9_999 + b"1]}",
    "members": b'{"x": [' + b'{"a": 1},' * 9_999 + b"1]}",
}
"""Each is an object, its list, and 19,999 values: 20,001."""


@one_database
@by_row("text", CROWDED.values(), ids=CROWDED)
def test_a_body_has_at_most_20000_values(acme: Tenant, text: bytes) -> None:
    answer = send(acme.admin, text, "/customers/bulk-tag")

    assert refused(answer) == TOO_LARGE
    assert answer.get_json()["detail"] == "The body has more than 20000 values."


@one_database
@by_row("text", CROWDED.values(), ids=CROWDED)
def test_20000_values_are_taken(acme: Tenant, text: bytes) -> None:
    less = text.replace(b",1]}", b"]}").replace(b",[]]}", b"]}").replace(b",{}]}", b"]}")
    assert len(less) < len(text)

    assert refused(send(acme.admin, less, "/customers/bulk-tag")) == (400, "VALIDATION_ERROR")


@one_database
def test_what_looks_like_values_inside_a_text_is_none(acme: Tenant) -> None:
    text = r"[,{}\"]," * 5000

    answer = send(acme.admin, json.dumps({"name": text}))

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert list(answer.get_json()["errors"]) == ["name"]


@one_database
def test_10000_ids_are_taken(acme: Tenant) -> None:
    tag = acme.admin.create("/tags", {"name": "Many"})

    answer = acme.admin.post("/customers/bulk-tag", {"tag_id": tag["id"], "ids": [str(uuid7()) for _ in range(10_000)]})

    assert answer.get_json()["errors"] == {"ids": ["10000 of them were not found."]}


@one_database
@by_row("text", [b"[" * MB, b'{"a":[' + b"[]," * (MB // 3 - 3), b'{"a":"' + rb"\"" * (MB // 2 - 3)], ids=str)
def test_a_refused_body_is_not_built(acme: Tenant, text: bytes) -> None:
    send(acme.admin, text)

    tracemalloc.start()
    answer = send(acme.admin, text)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert answer.status_code in (400, 413)
    assert peak < 20 * MB
