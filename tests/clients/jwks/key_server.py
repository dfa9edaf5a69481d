"""A key server on a real socket, and keys as other services publish them."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Event, Thread
from typing import Any

import jwt
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa

from app.base.keys import PrivateKey

AMPLE = 10.0
"""Seconds that no fetch takes, however loaded this machine is."""
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
        until.wait(30)

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
