"""Which keys and which key sets of another service are accepted."""

from __future__ import annotations

import gzip
import json
import socket
from http.server import BaseHTTPRequestHandler
from threading import Event
from time import perf_counter, sleep
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa

from app.base.errors import Unavailable
from app.clients.jwks import MAX_BYTES, JwksClient
from tests.clients.jwks.key_server import AMPLE, ED, KEYS, Answer, KeyServer, document, hanging, public_jwk
from tests.support.marks import flaky


def not_http(request: BaseHTTPRequestHandler) -> None:
    request.wfile.write(b"hello\r\n\r\n")


def dripping(body: bytes, pause: float) -> Answer:
    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(200)
        request.end_headers()
        for place in range(len(body)):
            try:
                request.wfile.write(body[place : place + 1])
            except OSError:
                return
            sleep(pause)

    return answer


# What is not believed


@pytest.mark.parametrize(
    "jwk",
    [
        None,
        7,
        "text",
        [],
        {},
        {"kid": "k1"},
        {"kid": "k1", "kty": ["OKP"]},
        {"kid": "k1", "kty": "oct", "k": "c2VjcmV0LXNlY3JldC1zZWNyZXQtc2VjcmV0LXNlY3JldA"},
        {"kid": "k1", "kty": "oct", "k": "c2VjcmV0", "alg": "HS256"},
        {**ED, "kid": None},
        {**ED, "kid": 1},
        {**ED, "use": "enc"},
        {**ED, "use": ["sig"]},
        {**ED, "alg": "RS256"},
        {**ED, "alg": "none"},
        {**ED, "alg": "HS256"},
        {**ED, "crv": "X25519"},
        {**ED, "crv": "P-256"},
        {**ED, "crv": ["Ed25519"]},
        {**ED, "x": 7},
        {**ED, "x": ""},
        {**ED, "x": "AAAA"},
        {**ED, "x": "é" * 43},
        {"kid": "k1", "kty": "OKP", "crv": "Ed25519"},
        public_jwk(Ed448PrivateKey.generate()),
        public_jwk(KEYS["ES256"], x="AAAA"),
        public_jwk(KEYS["ES256"], y=public_jwk(KEYS["ES256"])["x"]),
        public_jwk(KEYS["ES256"], crv="P-384"),
        public_jwk(KEYS["ES256"], alg="ES384"),
        public_jwk(generate_ec(SECP384R1())),
        public_jwk(generate_rsa(65537, 1024)),
        public_jwk(KEYS["RS256"], n=""),
        public_jwk(KEYS["RS256"], n="!!!"),
        public_jwk(KEYS["RS256"], n=[1]),
        public_jwk(KEYS["RS256"], e="AQ"),
        public_jwk(KEYS["RS256"], e=""),
        public_jwk(KEYS["RS256"], alg="PS256"),
        public_jwk(KEYS["RS256"], alg="HS256"),
    ],
    ids=range(38),
)
def test_a_key_that_is_not_for_us_is_skipped_and_costs_no_other(server: KeyServer, jwk: Any) -> None:
    server.answer = document({"keys": [jwk, {**ED, "kid": "good"}]})
    client = JwksClient(server.url, AMPLE)

    assert client.key("k1") is None
    assert client.key("good") is not None


def failures(url: str) -> dict[str, Answer]:
    good = {"keys": [ED]}
    return {
        "404": document(good, 404),
        "500": document(good, 500),
        "204": document(b"", 204),
        "redirect": document(b"", 302, {"Location": url.replace("jwks", "elsewhere")}),
        "empty": document(b""),
        "html": document(b"<html>"),
        "list": document([ED]),
        "no keys": document({}),
        "keys no list": document({"keys": {"k1": ED}}),
        "deep": document(b'{"keys":' + b"[" * 100_000),
        "not utf-8": document(b"\xff\xfe"),
        "too large": document(json.dumps(good).encode() + b" " * MAX_BYTES),
        "compressed": document(gzip.compress(json.dumps(good).encode()), headers={"Content-Encoding": "gzip"}),
        "cut short": document(b'{"keys": []}', headers={"Content-Length": "500"}),
        "no http": not_http,
        "nothing": lambda request: None,
    }


@pytest.mark.parametrize("failure", failures("jwks"))
def test_an_answer_that_is_no_key_set_makes_the_service_unavailable(server: KeyServer, failure: str) -> None:
    server.answer = failures(server.url)[failure]

    with pytest.raises(Unavailable):
        JwksClient(server.url, AMPLE).key("k1")

    assert server.asked == ["/jwks.json"]


def test_a_server_that_is_not_there_makes_the_service_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = JwksClient(f"http://127.0.0.1:{taken.getsockname()[1]}/")

        with pytest.raises(Unavailable):
            client.key("k1")


@flaky
def test_a_hanging_server_is_given_up_after_the_timeout(server: KeyServer) -> None:
    over = Event()
    server.answer = hanging(over)
    start = perf_counter()

    with pytest.raises(Unavailable):
        JwksClient(server.url, timeout=0.3).key("k1")

    assert 0.3 <= perf_counter() - start < 2
    over.set()


@flaky
def test_a_dripping_server_is_given_up_after_the_timeout(server: KeyServer) -> None:
    server.answer = dripping(json.dumps({"keys": [ED]}).encode(), 0.05)
    start = perf_counter()

    with pytest.raises(Unavailable):
        JwksClient(server.url, timeout=0.3).key("k1")

    assert 0.3 <= perf_counter() - start < 2


def test_a_key_set_of_exactly_256_kib_is_read(server: KeyServer) -> None:
    server.answer = document(json.dumps({"keys": [ED]}).encode().ljust(256 * 1024))

    assert JwksClient(server.url, AMPLE).key("k1")


# What is believed


@pytest.mark.parametrize("extra", [{}, {"use": "sig"}], ids=["plain", "sig"])
@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_a_key_has_the_algorithm_of_its_type(server: KeyServer, algorithm: str, extra: dict[str, str]) -> None:
    server.answer = document({"keys": [public_jwk(KEYS[algorithm], **extra)]})

    found = JwksClient(server.url, AMPLE).key("k1")

    assert found == (algorithm, KEYS[algorithm].public_key())


def test_of_a_key_published_with_its_private_part_only_the_public_one_is_kept(server: KeyServer) -> None:
    leaked = jwt.get_algorithm_by_name("EdDSA").to_jwk(KEYS["EdDSA"], as_dict=True)
    server.answer = document({"keys": [{**leaked, "kid": "k1"}]})

    found = JwksClient(server.url, AMPLE).key("k1")

    assert "d" in leaked
    assert found
    assert isinstance(found[1], Ed25519PublicKey)
