"""Bodies that are made to be expensive, on every operation: refused, for little CPU, and nothing changes.

``tests/core/web/test_framing.py`` sends wrong framing to every operation.
"""

import json
import time
from typing import Any

from flask import Flask
from uuid_utils.compat import uuid7

from app.core.wire.stream import KB, MB
from tests.support.clients import Tenant
from tests.support.declared import Maker, routes_of, rows_of, schema_of
from tests.support.marks import one_database
from tests.support.rows import by_row

pytestmark = one_database
WRITES = ("POST", "PUT", "PATCH")
MOST_SECONDS = 0.5
"""Ten times the CPU time that a refusal may take: the machine of the tests may be slow. What is guarded against takes
seconds."""
ANY_OBJECT = ("/users/password-reset/request", "/auth/verify-email/request")
"""What answers 200 to any object, so that it tells nothing about addresses."""

MARKS = "\u0315\u0300" * 7950


VALUES: dict[str, Any] = {
    "combining marks": MARKS,
    "ten times combining marks": [{"kind": "email", "value": MARKS[:8000], "label": MARKS[:8000]}] * 10,
    "a long list of ids": [str(uuid7()) for _ in range(900)],
    "a long list of objects": [{"kind": "phone"}] * 1500,
    "a long list of lists": [[]] * 4000,
    "a long map": {f"name {n}": True for n in range(500)},
    "a map of lists": {f"name {n}": [n, [n], {"n": n}] for n in range(400)},
    "a long address": "a@" + "a." * 20_000,
    "a long URL": "http://" + "a." * 20_000,
    "a long number": int("9" * 4000),
}
TEXTS = {
    "deep lists": "[" * 900 + "]" * 900,
    "deep objects": '{"a":' * 900 + "1" + "}" * 900,
    "too deep": "[" * 9000 + "]" * 9000,
    "escapes": '"' + r"\u0315\u0300" * 3000 + '"',
    "a precise number": "0." + "1" * 40_000,
} | {what: json.dumps(value, ensure_ascii=False) for what, value in VALUES.items()}


@by_row("text", TEXTS.values(), ids=TEXTS)
def test_no_operation_spends_much_on_a_body_that_it_refuses(app: Flask, acme: Tenant, text: str) -> None:
    maker = Maker(app, acme)
    targets = [(each, maker.path(each.path), schema) for each in routes_of(app) if (schema := schema_of(each))]
    before = rows_of(app, acme.company_id)

    for route, path, schema in targets:
        members = ",".join(f"{json.dumps(name)}:{text}" for name in schema.load_fields or ("x",))
        check_refused(acme, route.method, path, f"{{{members}}}".encode())

    assert rows_of(app, acme.company_id) == before


FILE = b'--x\r\nContent-Disposition: form-data; name="%b"; filename="%b"\r\n\r\nx'
TEXT = b'--x\r\nContent-Disposition: form-data; name="%b"\r\n\r\n%b\r\n'
END = b"\r\n--x--\r\n"
HEAD = 300 * KB
FORMS = {
    "a name of marks": FILE % (b"avatar", MARKS.encode()) + END,
    "a long name": FILE % (b"avatar", b"a" * HEAD) + END,
    "a quoted name": FILE % (b"avatar", rb"\\" * (HEAD // 2)) + END,
    "a quoted name without an end": FILE % (b"avatar", rb"\"" * (HEAD // 2)) + END,
    "an encoded name": FILE % (b"avatar\"; filename*=\"UTF-8''" + b"%CC%95" * (HEAD // 6), b"") + END,
    "many parameters": FILE % (b"avatar", b'a"' + b"; a=b" * (HEAD // 5)) + END,
    "many headers": b"--x\r\n" + b"a: b\r\n" * (HEAD // 6),
    "a text of marks": TEXT % (b"first_name", MARKS.encode()) + END,
    "many parts": b"".join(TEXT % (b"%d" % n, b"x") for n in range(9000)) + END,
    "no boundary": b"\r\n--" * (MB // 4),
    "nothing but line ends": FILE % (b"file", b"") + b"\r\n" * MB + END,
    "nearly boundaries": FILE % (b"file", b"") + b"\r\n--y" * (MB // 5) + END,
}


@by_row("body", FORMS.values(), ids=FORMS)
def test_no_operation_spends_much_on_a_form_that_it_refuses(app: Flask, acme: Tenant, body: bytes) -> None:
    maker = Maker(app, acme)
    targets = [(each.method, maker.path(each.path)) for each in routes_of(app) if each.declaration.upload]
    own_avatar = f"/users/{acme.admin.user_id}/avatar"
    before = rows_of(app, acme.company_id)

    for method, path in [*targets, ("POST", own_avatar)]:
        check_refused(acme, method, path, body, "multipart/form-data; boundary=x")

    assert rows_of(app, acme.company_id) == before


def check_refused(acme: Tenant, method: str, path: str, body: bytes, kind: str = "application/json") -> None:
    started = time.thread_time()
    answer = acme.admin.request(method, path, data=body, content_type=kind)
    seconds = time.thread_time() - started

    assert 400 <= answer.status_code < 500 or (path in ANY_OBJECT and answer.status_code == 200), (method, path)
    assert seconds < MOST_SECONDS, (method, path, seconds)
