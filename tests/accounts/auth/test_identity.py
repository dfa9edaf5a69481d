"""Who calls: bearer or cookie and nothing else, our tokens and those of an external service."""

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
from tests.clients.test_jwks import KeyServer, document
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.databases import SECRET
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row
from tests.support.variants import Variant

pytestmark = one_database

UNKNOWN = "00000000-0000-7000-8000-000000000000"
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


def status(app: Flask, token: str, path: str = "/users/me") -> int:
    return Browser(app).get(path, headers=bearer(token)).status_code


# Where a token may stand


def test_bearer_and_cookie_may_both_be_there_when_they_are_equal(app: Flask, person: ApiClient) -> None:
    browser = Browser(app)
    browser.keep("access_token", person.token or "")

    assert browser.get("/users/me", headers=bearer(person.token or "")).status_code == 200


@one_database
@by_row("call", ["GET /users/me", "PATCH /users/me", "GET /customers", "POST /auth/logout"])
def test_two_different_tokens_are_400(app: Flask, acme: Tenant, person: ApiClient, call: str) -> None:
    method, path = call.split()
    browser = Browser(app)
    browser.keep("access_token", acme.user().token or "")

    answer = browser.request(method, path, headers=bearer(person.token or ""))

    assert answer.status_code == 400
    assert person.get("/users/me").status_code == 200


@one_database
@by_row("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_scheme_has_no_case(app: Flask, person: ApiClient, scheme: str) -> None:
    answer = Browser(app).get("/users/me", headers={"Authorization": f"{scheme} {person.token}"})

    assert answer.status_code == 200


def test_no_other_place_is_read(app: Flask, acme: Tenant, person: ApiClient) -> None:
    token = person.token or ""
    elsewhere: list[dict[str, Any]] = [
        {"headers": {"Authorization": token}},
        {"headers": {"Authorization": f"Token {token}"}},
        {"headers": {"Authorization": f"Basic {token}"}},
        {"headers": {"X-Access-Token": token}},
        {"headers": {"X-Auth-Token": token}},
        {"headers": {"Proxy-Authorization": f"Bearer {token}"}},
        {"headers": {"Cookie": f"token={token}"}},
        {"headers": {"Cookie": f"refresh_token={token}"}},
        {"query_string": {"access_token": token}},
        {"data": f"access_token={token}", "content_type": "application/x-www-form-urlencoded"},
    ]

    answers = [ApiClient(app).get("/users/me", **options).status_code for options in elsewhere]

    assert answers == [401] * len(elsewhere)


CLAIMS = (
    "X-User-ID", "X-User-Id", "X-User", "X-Company-ID", "X-Company", "X-Tenant-ID", "X-Email", "X-Role", "X-Roles",
    "X-Forwarded-User", "X-Forwarded-Email", "X-Authenticated-User", "X-Auth-Request-User", "Remote-User",
    "X-Remote-User", "X-Internal-Token", "X-Is-Admin",
)  # fmt: skip


def test_no_other_header_is_an_identity(app: Flask, acme: Tenant) -> None:
    headers = dict.fromkeys(CLAIMS, acme.admin.user_id) | {"X-Company-ID": str(acme.company_id)}

    for path in ("/users/me", "/auth/verify", "/customers", "/companies"):
        assert Browser(app).get(path, headers=headers).status_code == 401


def test_no_other_header_changes_an_identity(app: Flask, acme: Tenant, globex: Tenant) -> None:
    person = globex.user()
    headers = dict.fromkeys(CLAIMS, acme.admin.user_id) | {"X-Company-ID": str(acme.company_id)}

    found = person.get("/auth/verify", headers=headers).get_json()

    assert (found["user_id"], found["company_id"]) == (person.user_id, str(globex.company_id))
    assert person.get("/customers", headers=headers).status_code == 403


def test_a_refresh_token_is_no_access_token(app: Flask, person: ApiClient) -> None:
    refresh = set_cookies(Browser(app).log_in(person.email))["refresh_token"].value

    assert status(app, refresh) == 401


# Tokens of an external service by the shared secret


@pytest.mark.parametrize("subject", ["sub", "user_id"])
def test_a_token_with_the_three_needed_claims_is_accepted(app: Flask, person: ApiClient, subject: str) -> None:
    claims: dict[str, Any] = {"sub": None, subject: person.user_id}
    token = mint(person, **claims)

    found = ApiClient(app, token).get("/auth/verify").get_json()

    assert (found["user_id"], found["session_id"]) == (person.user_id, None)
    assert found["email"] == person.email


def test_an_external_token_asks_the_engine_like_any_other(app: Flask, acme: Tenant) -> None:
    assert status(app, mint(acme.user(role="viewer")), "/customers") == 200
    assert status(app, mint(acme.user()), "/customers") == 403


@one_database
@by_row(
    "changes",
    [
        {"sub": None},
        {"company_id": None},
        {"exp": None},
        {"sub": UNKNOWN},
        {"company_id": UNKNOWN},
        {"sid": UNKNOWN},
        {"exp": timedelta(seconds=-1)},
        {"exp": timedelta(hours=25)},
        {"secret": "another-secret-0123456789-0123456789-01"},
        {"aud": "somebody-else"},
    ],
    ids=str,
)
def test_a_token_that_is_not_about_a_user_of_ours_is_401(
    app: Flask, person: ApiClient, changes: dict[str, Any]
) -> None:
    dated = {name: now() + value if name == "exp" and value else value for name, value in changes.items()}

    assert status(app, mint(person, **dated)) == 401


@both_databases
def test_the_company_must_be_the_users_own(app: Flask, acme: Tenant, globex: Tenant, person: ApiClient) -> None:
    assert status(app, mint(person, company_id=str(globex.company_id))) == 401
    assert status(app, mint(globex.user(), company_id=str(acme.company_id))) == 401


def test_an_unsigned_token_is_401(app: Flask, person: ApiClient) -> None:
    claims = {"sub": person.user_id, "company_id": person.company_id, "exp": now() + timedelta(hours=1)}
    no_key: Any = None

    assert status(app, jwt.encode(claims, no_key, "none")) == 401


@both_databases
def test_an_inactive_user_is_401_with_an_external_token_too(app: Flask, acme: Tenant, person: ApiClient) -> None:
    token = mint(person)
    assert status(app, token) == 200

    acme.admin.patch(f"/users/{person.user_id}", {"is_active": False})

    assert status(app, token) == 401


@both_databases
def test_a_suspended_company_is_403_with_an_external_token_too(app: Flask, acme: Tenant, globex: Tenant) -> None:
    token = mint(globex.user())
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "suspended"})

    assert status(app, token) == 403


@both_databases
def test_a_token_from_before_the_last_change_of_password_is_401(app: Flask, person: ApiClient) -> None:
    before = [mint(person, iat=now() - timedelta(seconds=2)), mint(person)]
    assert [status(app, token) for token in before] == [200, 200]

    body = {"current_password": PASSWORD, "new_password": "another good password"}
    assert person.patch("/users/me/change-password", body).status_code == 200

    assert [status(app, token) for token in before] == [401, 401]
    assert status(app, mint(person, iat=now() + timedelta(seconds=1))) == 200


@both_databases
def test_somebody_new_can_come_with_an_external_token_at_once(app: Flask, acme: Tenant) -> None:
    made = acme.admin.create("/users", {"email": "new@example.com", "password": PASSWORD})
    person = ApiClient(app, user_id=made["id"], company_id=str(acme.company_id))

    assert status(app, mint(person, iat=now())) == 200
    assert made["last_password_change"] is None


def test_the_former_secret_is_accepted_while_it_is_set(variant: Variant, app: Flask, person: ApiClient) -> None:
    former = "the-former-secret-0123456789-0123456789"
    token = mint(person, secret=former)

    assert status(variant(JWT_SECRET_PREVIOUS=former), token) == 200
    assert status(app, token) == 401


def test_with_an_audience_tokens_name_it(variant: Variant, app: Flask, person: ApiClient) -> None:
    service = variant(JWT_AUDIENCE="identity")

    own = set_cookies(Browser(service).log_in(person.email))["access_token"].value

    assert jwt.decode(own, SECRET, ["HS256"], audience="identity")["aud"] == "identity"
    assert status(service, own) == 200
    assert status(service, mint(person, aud=["other", "identity"])) == 200
    assert status(service, mint(person)) == 401
    assert status(app, own) == 401


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
