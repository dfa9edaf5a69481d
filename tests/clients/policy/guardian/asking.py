"""Clients of a fake Guardian, and the questions that they ask it."""

import gzip
import json
import socket
import time
from uuid import uuid4

import pytest

from app.base.errors import ApiError, GatewayTimeout
from app.clients.policy.guardian import GuardianClient
from app.clients.policy.parsing import MAX_BODY_BYTES
from app.clients.policy.request import AccessRequest
from app.clients.policy.transport import RemoteTransport
from tests.fakes.guardian import GRANT, Behaviour, Exchange, answer, answers, closes, resets, sends

AMPLE, TIMEOUT, SLACK = 10.0, 0.3, 0.6
"""Seconds: that no loaded machine exceeds, of the tests of the deadline itself, and how much later is in time."""
QUESTION = AccessRequest(uuid4(), uuid4(), "customer", "UPDATE")
TOKEN = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
GRANTED = json.dumps({"access_granted": True}).encode()


def client_of(url: str, *, max_in_flight: int = 8, timeout: float = AMPLE) -> GuardianClient:
    return GuardianClient(RemoteTransport(url, timeout, max_in_flight))


def check(client: GuardianClient, question: AccessRequest = QUESTION) -> None:
    client.check(question, token=TOKEN, request_id="request-1")


def refusal(client: GuardianClient) -> ApiError:
    with pytest.raises(ApiError) as raised:
        check(client)
    return raised.value


def refused_url() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


def told(status: int, text: bytes) -> Behaviour:
    return answers(status, text)


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
UNBOUNDED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n"
TEN_MEGABYTES = b'{"access_granted": true, "reason": "' + b"x" * 10_000_000 + b'"}'
ONE_TOO_MANY = GRANTED[:-1] + b" " * (MAX_BODY_BYTES + 1 - len(GRANTED)) + b"}"
DENYING: dict[str, Behaviour] = {
    "200_false": answers(200, {"access_granted": False}),
    "200_false_in_another_spelling": answers(200, {"decision": False}),
    "403": answers(403, {"access_granted": False, "reason": "No."}),
    "404": answers(404, {"error": "Resource not found."}),
    "400": answers(400, {"error": "Operation is invalid."}),
    "400_with_a_grant": answers(400, {"access_granted": True}),
    "403_with_a_grant": answers(403, {"access_granted": True}),
    "404_with_a_grant": answers(404, {"access_granted": True}),
    "true_then_false": answers(200, {"access_granted": True, "allowed": False}),
    "false_then_true": answers(200, {"access_granted": False, "decision": True}),
}
UNUSABLE: dict[str, Behaviour] = {
    "string_false": told(200, b'{"access_granted": "false"}'),
    "string_true": told(200, b'{"access_granted": "true"}'),
    "one": told(200, b'{"access_granted": 1}'),
    "one_point_zero": told(200, b'{"access_granted": 1.0}'),
    "null": told(200, b'{"access_granted": null}'),
    "list_of_true": told(200, b'{"access_granted": [true]}'),
    "true_beside_a_string": told(200, b'{"access_granted": true, "decision": "allow"}'),
    "missing_key": told(200, b'{"reason": "ok"}'),
    "other_case": told(200, b'{"Access_Granted": true}'),
    "nested": told(200, b'{"data": {"access_granted": true}}'),
    "bare_true": told(200, b"true"),
    "bare_null": told(200, b"null"),
    "array": told(200, b'[{"access_granted": true}]'),
    "empty": told(200, b""),
    "empty_object": told(200, b"{}"),
    "duplicate_key": told(200, b'{"access_granted": false, "access_granted": true}'),
    "duplicate_key_escaped": told(200, b'{"access_granted": true, "access_grante\\u0064": true}'),
    "duplicate_key_within": told(200, b'{"access_granted": true, "x": {"a": 1, "a": 2}}'),
    "nan": told(200, b'{"access_granted": true, "x": NaN}'),
    "infinity": told(200, b'{"access_granted": true, "x": -Infinity}'),
    "invalid_utf8": told(200, b'{"access_granted": true, "x": "\xff"}'),
    "utf16": told(200, '{"access_granted": true}'.encode("utf-16")),
    "byte_order_mark": told(200, b"\xef\xbb\xbf" + GRANTED),
    "trailing_text": told(200, GRANTED + b" x"),
    "single_quotes": told(200, b"{'access_granted': true}"),
    "deep": told(200, b"[" * 60_000),
    "long_number": told(200, b'{"access_granted": true, "x": ' + b"9" * 5000 + b"}"),
    "html": answers(200, b"<html>access_granted: true</html>", "text/html"),
    "json_declared_as_html": answers(200, GRANTED, "text/html"),
    "html_404": answers(404, b"<h1>Not Found</h1>", "text/html"),
    "array_403": told(403, b'["No."]'),
    "201": answers(201, {"access_granted": True}),
    "202": answers(202, {"access_granted": True}),
    "203": answers(203, {"access_granted": True}),
    "204": sends(b"HTTP/1.1 204 No Content\r\n\r\n"),
    "206": answers(206, {"access_granted": True}),
    "101": sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n"),
    "101_before_a_grant": sends(b"HTTP/1.1 101 Switching Protocols\r\n\r\n" + GRANT),
    "100_for_megabytes": sends(b"HTTP/1.1 100 Continue\r\n\r\n" * 20_000 + GRANT),
    "304": sends(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "401": answers(401, {"access_granted": True, "reason": "Token expired."}),
    "409": answers(409, {"access_granted": True}),
    "500": answers(500, {"access_granted": True}),
    "503": answers(503, {"access_granted": True}),
    "gzip_bomb": answers(200, gzip.compress(TEN_MEGABYTES), headers=["Content-Encoding: gzip"]),
    "gzip_grant": answers(200, gzip.compress(GRANTED), headers=["Content-Encoding: GZIP"]),
    "gzip_undeclared": answers(200, gzip.compress(GRANTED)),
    "unknown_encoding": answers(200, GRANTED, headers=["Content-Encoding: identity, br"]),
    "10_mb": answers(200, TEN_MEGABYTES),
    "10_mb_chunked": sends(CHUNKED + b"%x\r\n%b\r\n0\r\n\r\n" % (len(TEN_MEGABYTES), TEN_MEGABYTES)),
    "10_mb_in_small_chunks": sends(CHUNKED + b"400\r\n%b\r\n" % (b" " * 1024) * 10_000),
    "10_mb_without_length": sends(UNBOUNDED + TEN_MEGABYTES, closes=True),
    "10_mb_behind_a_grant": sends(GRANT + TEN_MEGABYTES),
    "10_mb_of_headers": sends(b"HTTP/1.1 200 OK\r\n" + b"X-Y: %b\r\n" % (b"z" * 60_000) * 170),
    "one_byte_too_many": answers(200, ONE_TOO_MANY),
    "100_kb": answers(200, TEN_MEGABYTES[:100_000]),
    "one_byte_too_many_chunked": sends(CHUNKED + b"10001\r\n%b\r\n0\r\n\r\n" % ONE_TOO_MANY),
    "shorter_than_declared": sends(b"HTTP/1.1 200 OK\r\nContent-Length: 9999\r\n\r\n" + GRANTED, closes=True),
    "chunks_without_end": sends(CHUNKED + b"18\r\n" + GRANTED + b"\r\n", closes=True),
    "chunk_of_negative_size": sends(CHUNKED + b"-5\r\n" + GRANTED, closes=True),
    "chunk_of_no_size": sends(CHUNKED + b"zz\r\n" + GRANTED, closes=True),
    "second_answer_unasked": sends(GRANT + GRANT),
    "not_http": sends(b"SSH-2.0-OpenSSH_9.2\r\n\r\n", closes=True),
    "http_2": sends(GRANT.replace(b"HTTP/1.1", b"HTTP/2.0")),
    "head_without_end": sends(b"HTTP/1.1 200 OK\r\n", closes=True),
    "head_without_end_in_a_header": sends(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX", closes=True),
    "two_lengths": sends(GRANT.replace(b"Content-Length", b"Content-Length: 1\r\nContent-Length")),
}
UNREACHABLE: dict[str, Behaviour] = {
    "429": answers(429, {"access_granted": True}),
    "reset": resets,
    "closed_without_answer": closes,
    "closed_in_the_first_line": sends(b"HTTP/1.1 200", closes=True),
}


def timed_out_after(client: GuardianClient) -> float:
    started = time.monotonic()
    assert isinstance(refusal(client), GatewayTimeout)
    return time.monotonic() - started


def denies_in_pieces_and_grants(exchange: Exchange) -> bool:
    """Whoever knows the length of a body reads no further, and leaves the grant where it is."""
    head, end, body = answer(200, {"access_granted": False}).partition(b"\r\n\r\n")
    exchange.socket.sendall(head + end)
    time.sleep(0.03)
    exchange.socket.sendall(body + GRANT)
    return True
