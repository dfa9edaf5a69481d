"""Tokens of an external service, verified by its key set."""

from __future__ import annotations

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path
from uuid import UUID

import jwt
import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from app.base.errors import Unauthenticated, Unavailable
from app.clients.jwks import JwksClient
from app.config.environment import load_settings
from app.core.security.tokens import Tokens
from tests.clients.jwks.key_server import KEYS, KeyServer, document

USER, COMPANY = UUID(int=1), UUID(int=2)
SECRET = "a-secret-that-only-we-know-0123456789"


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
