"""Tokens by the key set of an external service and by keys of this one."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from flask import Flask

from tests.accounts.auth.browser import Browser, bearer, current_session, now, set_cookies
from tests.accounts.auth.external import mint
from tests.accounts.auth.identities import UNKNOWN, status
from tests.clients.jwks.key_server import KeyServer, document
from tests.support.clients import ApiClient
from tests.support.marks import one_database
from tests.support.variants import Variant

pytestmark = one_database
KINDS: dict[str, Callable[[], Any]] = {
    "RS256": lambda: rsa.generate_private_key(65537, 2048),
    "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
    "EdDSA": ed25519.Ed25519PrivateKey.generate,
}


@pytest.fixture(scope="module")
def keys(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A file with a private key of each algorithm."""
    folder = tmp_path_factory.mktemp("keys")
    return {name: _write(folder / f"{name}.pem", make()) for name, make in KINDS.items()}


def _write(path: Path, key: Any) -> str:
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return str(path)


# Tokens of an external service by its key set


@pytest.fixture
def key_server() -> Iterator[KeyServer]:
    with KeyServer().running() as server:
        yield server


def published(name: str, key: Any) -> dict[str, Any]:
    algorithm: Any = jwt.get_algorithm_by_name(name)
    return {**algorithm.to_jwk(key.public_key(), as_dict=True), "kid": name, "alg": name, "use": "sig"}


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_token_of_the_key_set_is_accepted(
    variant: Variant, key_server: KeyServer, person: ApiClient, name: str
) -> None:
    key = KINDS[name]()
    key_server.answer = document({"keys": [published(name, key)]})
    service = variant(JWT_JWKS_URL=key_server.url, JWT_ISSUER="https://issuer.example")
    claims = {"sub": person.user_id, "company_id": person.company_id, "iss": "https://issuer.example"}

    def told(**changes: Any) -> int:
        signed = jwt.encode({**claims, "exp": now() + timedelta(hours=1), **changes}, key, name, headers={"kid": name})
        return status(service, signed)

    assert told() == 200
    assert told(iss="https://other.example") == 401
    assert told(exp=now() + timedelta(hours=25)) == 401
    assert told(sid=UNKNOWN) == 401
    assert status(service, mint(person)) == 200


def test_while_the_key_set_cannot_be_fetched_only_its_own_tokens_wait(
    variant: Variant, key_server: KeyServer, person: ApiClient
) -> None:
    service = variant(JWT_JWKS_URL=key_server.url)
    key_server.answer = document("out of order", status=500)
    claims = {"sub": person.user_id, "company_id": person.company_id, "exp": now() + timedelta(hours=1)}
    unknown = jwt.encode(claims, KINDS["EdDSA"](), "EdDSA", headers={"kid": "unknown"})

    answer = Browser(service).get("/users/me", headers=bearer(unknown))

    assert answer.status_code == 503
    assert answer.headers["Retry-After"]
    assert Browser(service).post("/auth/logout", headers=bearer(unknown)).status_code == 200
    assert "settings" not in Browser(service).get("/config", headers=bearer(unknown)).get_json()
    assert status(service, person.token or "") == 200


# Our own keys


@pytest.mark.parametrize("name", sorted(KINDS))
def test_a_private_key_signs_and_its_public_half_is_published(
    variant: Variant, keys: dict[str, str], person: ApiClient, name: str
) -> None:
    others = [keys[other] for other in KINDS if other != name]
    files = ",".join([keys[name], *others])
    service = variant(JWT_PRIVATE_KEY_FILE=files, JWT_SECRET="", SECRET_KEY="root-of-derived-keys-0123456789")

    browser = Browser(service)
    token = set_cookies(browser.log_in(person.email))["access_token"].value
    published_set = browser.get("/.well-known/jwks.json")

    header = jwt.get_unverified_header(token)
    by_kid = {each["kid"]: each for each in published_set.get_json()["keys"]}
    assert header["alg"] == name
    assert by_kid[header["kid"]]["alg"] == name
    verified = jwt.decode(token, jwt.PyJWK(by_kid[header["kid"]]), [name])
    assert verified["sid"] == current_session(browser)["id"]
    assert browser.get("/users/me").status_code == 200
    assert browser.post("/auth/refresh").status_code == 200
    assert status(service, mint(person)) == 401
    assert len(by_kid) == 3
    assert not {"d", "p", "q", "k"} & {member for each in by_kid.values() for member in each}


def test_a_key_that_signs_no_longer_still_verifies(variant: Variant, keys: dict[str, str], person: ApiClient) -> None:
    before = variant(JWT_PRIVATE_KEY_FILE=keys["RS256"])
    token = set_cookies(Browser(before).log_in(person.email))["access_token"].value

    assert status(variant(JWT_PRIVATE_KEY_FILE=f"{keys['ES256']},{keys['RS256']}"), token) == 200
    assert status(variant(JWT_PRIVATE_KEY_FILE=keys["ES256"]), token) == 401


def test_without_keys_the_published_set_is_empty_and_may_be_cached(app: Flask) -> None:
    answer = Browser(app).get("/.well-known/jwks.json")

    assert answer.get_json() == {"keys": []}
    assert "max-age" in answer.headers["Cache-Control"]
