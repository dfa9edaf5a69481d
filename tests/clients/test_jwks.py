"""The key set of another service over a real socket: what is believed, and how often it is asked."""

from __future__ import annotations

import gzip
import json
import socket
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Event, Thread
from time import perf_counter, sleep
from typing import Any
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PrivateKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.base.errors import Unauthenticated, Unavailable
from app.base.keys import PrivateKey
from app.clients.jwks import MAX_BYTES, REFETCH_SECONDS, JwksClient
from app.config.environment import load_settings
from app.core.security.tokens import Tokens
from tests.support.clock import Clock

USER, COMPANY = UUID(int=1), UUID(int=2)
SECRET = "a-secret-that-only-we-know-0123456789"

Answer = Callable[[BaseHTTPRequestHandler], None]


class KeyServer:
    """An HTTP server whose answer can be changed; ``asked`` has the path of every request."""

    def __init__(self) -> None:
        self.answer: Answer = document({"keys": []})
        self.asked: list[str] = []
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self.url = f"http://127.0.0.1:{self._http.server_port}/jwks.json"

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                server.asked.append(self.path)
                server.answer(self)

            def log_message(self, *_: object) -> None:
                """The test's output is not the place for it."""

        return Handler

    @contextmanager
    def running(self) -> Iterator[KeyServer]:
        thread = Thread(target=self._http.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            self._http.shutdown()
            thread.join()
            self._http.server_close()


def document(found: Any, status: int = 200, headers: dict[str, str] | None = None) -> Answer:
    body = found if isinstance(found, bytes) else json.dumps(found).encode()

    def answer(request: BaseHTTPRequestHandler) -> None:
        request.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            request.send_header(name, value)
        request.end_headers()
        request.wfile.write(body)

    return answer


def hanging(until: Event) -> Answer:
    def answer(_: BaseHTTPRequestHandler) -> None:
        until.wait(5)

    return answer


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


def _kind(private: Any) -> Any:
    return next((kind for kind in (RSAPrivateKey, EllipticCurvePrivateKey) if isinstance(private, kind)), None)


def public_jwk(private: Any, kid: str = "k1", **changes: Any) -> dict[str, Any]:
    """As another service publishes it: whatever its library writes, plus what we change."""
    algorithm = {RSAPrivateKey: "RS256", EllipticCurvePrivateKey: "ES256"}.get(_kind(private), "EdDSA")
    jwk = jwt.get_algorithm_by_name(algorithm).to_jwk(private.public_key(), as_dict=True)
    return {**jwk, "kid": kid, **changes}


KEYS: dict[str, PrivateKey] = {
    "RS256": generate_rsa(65537, 2048),
    "ES256": generate_ec(SECP256R1()),
    "EdDSA": Ed25519PrivateKey.generate(),
}
ED = public_jwk(KEYS["EdDSA"])


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer().running() as found:
        yield found


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
    client = JwksClient(server.url)

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
        JwksClient(server.url).key("k1")

    assert server.asked == ["/jwks.json"]


def test_a_server_that_is_not_there_makes_the_service_unavailable() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        client = JwksClient(f"http://127.0.0.1:{taken.getsockname()[1]}/")

        with pytest.raises(Unavailable):
            client.key("k1")


def test_a_hanging_server_is_given_up_after_the_timeout(server: KeyServer) -> None:
    over = Event()
    server.answer = hanging(over)
    start = perf_counter()

    with pytest.raises(Unavailable):
        JwksClient(server.url, timeout=0.3).key("k1")

    assert 0.25 < perf_counter() - start < 2
    over.set()


def test_a_dripping_server_is_given_up_after_the_timeout(server: KeyServer) -> None:
    server.answer = dripping(json.dumps({"keys": [ED]}).encode(), 0.05)
    start = perf_counter()

    with pytest.raises(Unavailable):
        JwksClient(server.url, timeout=0.3).key("k1")

    assert perf_counter() - start < 2


def test_a_key_set_of_exactly_256_kib_is_read(server: KeyServer) -> None:
    server.answer = document(json.dumps({"keys": [ED]}).encode().ljust(256 * 1024))

    assert JwksClient(server.url).key("k1")


# What is believed


@pytest.mark.parametrize("extra", [{}, {"use": "sig"}], ids=["plain", "sig"])
@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_a_key_has_the_algorithm_of_its_type(server: KeyServer, algorithm: str, extra: dict[str, str]) -> None:
    server.answer = document({"keys": [public_jwk(KEYS[algorithm], **extra)]})

    found = JwksClient(server.url).key("k1")

    assert found == (algorithm, KEYS[algorithm].public_key())


def test_of_a_key_published_with_its_private_part_only_the_public_one_is_kept(server: KeyServer) -> None:
    leaked = jwt.get_algorithm_by_name("EdDSA").to_jwk(KEYS["EdDSA"], as_dict=True)
    server.answer = document({"keys": [{**leaked, "kid": "k1"}]})

    found = JwksClient(server.url).key("k1")

    assert "d" in leaked
    assert found
    assert isinstance(found[1], Ed25519PublicKey)


# How often it is asked


def test_a_known_key_is_fetched_once(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, clock=clock)

    for _ in range(5):
        assert client.key("k1")
        clock.advance(REFETCH_SECONDS)

    assert len(server.asked) == 1


def test_unknown_keys_are_looked_for_once_per_30_seconds(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, clock=clock)

    assert [client.key(f"unknown-{i}") for i in range(50)] == [None] * 50
    clock.advance(29.9)
    assert client.key("unknown") is None
    assert len(server.asked) == 1
    clock.advance(0.1)
    assert [client.key(f"unknown-{i}") for i in range(50)] == [None] * 50
    assert len(server.asked) == 2


def test_a_new_key_is_found_and_a_withdrawn_one_forgotten(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, clock=clock)
    assert client.key("k1")

    server.answer = document({"keys": [{**ED, "kid": "k2"}]})
    clock.advance(REFETCH_SECONDS)

    assert client.key("k2")
    assert client.key("k1") is None


def test_a_failing_fetch_keeps_the_keys_and_counts(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, clock=clock)
    client.key("k1")
    clock.advance(REFETCH_SECONDS)

    server.answer = document(b"", 500)

    assert [client.key("unknown") for _ in range(10)] == [None] * 10
    assert client.key("k1")
    assert len(server.asked) == 2


def test_without_any_set_the_pause_is_kept_too_and_then_it_is_tried_again(server: KeyServer) -> None:
    server.answer = document(b"", 500)
    clock = Clock()
    client = JwksClient(server.url, clock=clock)
    for _ in range(5):
        with pytest.raises(Unavailable):
            client.key("k1")
    assert len(server.asked) == 1

    clock.advance(REFETCH_SECONDS)
    server.answer = document({"keys": [ED]})

    assert client.key("k1")


def test_an_empty_set_is_a_set(server: KeyServer) -> None:
    assert JwksClient(server.url).key("k1") is None


# Many threads


def test_threads_that_need_the_same_new_key_share_one_fetch(server: KeyServer) -> None:
    good = document({"keys": [ED]})

    def late(request: BaseHTTPRequestHandler) -> None:
        sleep(0.2)
        good(request)

    server.answer = late
    client = JwksClient(server.url)

    with ThreadPoolExecutor(12) as pool:
        found = list(pool.map(lambda _: client.key("k1"), range(12)))

    assert all(found)
    assert len(server.asked) == 1


def test_a_known_key_does_not_wait_for_a_hanging_fetch(server: KeyServer) -> None:
    server.answer = document({"keys": [ED]})
    clock = Clock()
    client = JwksClient(server.url, timeout=2, clock=clock)
    client.key("k1")
    clock.advance(REFETCH_SECONDS)
    over = Event()
    server.answer = hanging(over)

    with ThreadPoolExecutor(1) as pool:
        waiting = pool.submit(client.key, "unknown")
        while len(server.asked) < 2:
            sleep(0.005)
        start = perf_counter()
        assert client.key("k1")
        elapsed = perf_counter() - start
        assert not waiting.done()
        over.set()

    assert elapsed < 0.5
    assert waiting.result() is None


def test_a_fetch_stuck_in_the_headers_is_given_up_after_the_timeout(server: KeyServer) -> None:
    """A header byte now and then outlives every timeout of a single read."""
    over = Event()

    def stuck(request: BaseHTTPRequestHandler) -> None:
        request.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not over.wait(0.05):
            request.wfile.write(b"X")

    server.answer = stuck
    client = JwksClient(server.url, timeout=0.3)
    with ThreadPoolExecutor(2) as pool:
        first = pool.submit(client.key, "k1")
        while not server.asked:
            sleep(0.005)
        start = perf_counter()
        with pytest.raises(Unavailable):
            client.key("k1")
        elapsed = perf_counter() - start
        assert isinstance(first.exception(timeout=1), Unavailable)
        over.set()

    assert elapsed < 1


# Tokens of the external service


@pytest.fixture
def theirs(tmp_path: Path) -> Callable[..., Tokens]:
    """The external service: same code, a key of its own."""
    paths = {name: tmp_path / name for name in KEYS}
    for name, path in paths.items():
        path.write_bytes(KEYS[name].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))

    def make(algorithm: str = "EdDSA", **environ: str) -> Tokens:
        key = {"JWT_PRIVATE_KEY_FILE": str(paths[algorithm]), "SECRET_KEY": SECRET}
        return Tokens(load_settings({**key, "JWT_ISSUER": "https://login.example", **environ}))

    return make


def ours(server: KeyServer, **environ: str) -> Tokens:
    settings = load_settings(
        {"JWT_SECRET": SECRET, "JWT_JWKS_URL": server.url, "JWT_ISSUER": "https://login.example", **environ}
    )
    return Tokens(settings, JwksClient(settings.jwt_jwks_url))


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_a_token_of_the_external_service_is_accepted(
    server: KeyServer, theirs: Callable[..., Tokens], algorithm: str
) -> None:
    external = theirs(algorithm)
    server.answer = document(external.public_keys())

    found = ours(server).verify(external.sign(USER, COMPANY, None, None))

    assert (found.user_id, found.company_id, found.session_id) == (USER, COMPANY, None)


@pytest.mark.parametrize("issuer", ["identity-service", "https://login.example/", "https://evil.example"])
def test_an_external_token_must_come_from_the_issuer(
    server: KeyServer, theirs: Callable[..., Tokens], issuer: str
) -> None:
    external = theirs(JWT_ISSUER=issuer)
    server.answer = document(external.public_keys())

    with pytest.raises(Unauthenticated):
        ours(server).verify(external.sign(USER, COMPANY, None, None))


def test_an_external_token_without_an_issuer_is_refused(server: KeyServer, theirs: Callable[..., Tokens]) -> None:
    external = theirs()
    server.answer = document(external.public_keys())
    claims = jwt.decode(external.sign(USER, COMPANY, None, None), options={"verify_signature": False})
    del claims["iss"]
    kid = external.public_keys()["keys"][0]["kid"]

    with pytest.raises(Unauthenticated):
        ours(server).verify(jwt.encode(claims, KEYS["EdDSA"], "EdDSA", headers={"kid": kid}))


@pytest.mark.parametrize(("written", "wanted"), [("", "directory"), ("directory", ""), ("other", "directory")])
def test_an_external_token_for_another_audience_is_refused(
    server: KeyServer, theirs: Callable[..., Tokens], written: str, wanted: str
) -> None:
    external = theirs(JWT_AUDIENCE=written)
    server.answer = document(external.public_keys())

    with pytest.raises(Unauthenticated):
        ours(server, JWT_AUDIENCE=wanted).verify(external.sign(USER, COMPANY, None, None))


@pytest.mark.parametrize("algorithm", sorted(KEYS))
def test_an_external_key_verifies_its_own_algorithm_only(
    server: KeyServer, theirs: Callable[..., Tokens], algorithm: str
) -> None:
    external = theirs(algorithm)
    [jwk] = external.public_keys()["keys"]
    server.answer = document({"keys": [jwk]})
    _, payload, signature = external.sign(USER, COMPANY, None, None).split(".")
    service = ours(server)

    for other in {"HS256", "none", "PS256", "RS512", *KEYS} - {algorithm}:
        header = urlsafe_b64encode(json.dumps({"alg": other, "kid": jwk["kid"]}).encode())
        with pytest.raises(Unauthenticated):
            service.verify(f"{header.rstrip(b'=').decode()}.{payload}.{signature}")


def test_a_token_of_an_unknown_key_is_refused(server: KeyServer, theirs: Callable[..., Tokens]) -> None:
    with pytest.raises(Unauthenticated):
        ours(server).verify(theirs().sign(USER, COMPANY, None, None))


def test_a_key_set_that_cannot_be_fetched_is_no_verdict_on_the_token(
    server: KeyServer, theirs: Callable[..., Tokens]
) -> None:
    server.answer = document(b"", 500)
    service = ours(server)

    with pytest.raises(Unavailable):
        service.verify(theirs().sign(USER, COMPANY, None, None))
    assert service.verify(service.sign(USER, COMPANY, None, None)).user_id == USER


def test_our_own_tokens_never_ask_the_external_service(server: KeyServer) -> None:
    service = ours(server)

    service.verify(service.sign(USER, COMPANY, None, None))
    with pytest.raises(Unauthenticated):
        service.verify("a.b.c")

    assert server.asked == []
