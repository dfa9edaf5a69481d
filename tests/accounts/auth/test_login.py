"""Who signs in, with what answer, and by which hashes."""

import unicodedata
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from uuid import UUID

import bcrypt
import jwt
import pytest
from argon2 import PasswordHasher
from flask import Flask
from sqlalchemy import select, update
from werkzeug.security import generate_password_hash

from app.accounts.auth.models import RefreshToken
from app.users.models import User
from tests.accounts.auth.browser import Browser, current_session, execute, fetch, set_cookies, signed_in, user_row
from tests.accounts.auth.interrupted import Interrupted
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import both_databases, one_database
from tests.support.variants import Variant

pytestmark = one_database

UMLAUTS = "Zwölf große Äpfel"


def decomposed(text: str) -> str:
    return unicodedata.normalize("NFD", text)


# Who signs in


@both_databases
@pytest.mark.parametrize(
    "name",
    [
        {"email": "josé@example.com"},
        {"email": " JOSÉ@Example.COM\n"},
        {"email": decomposed("josé@example.com")},
        {"username": "Éva Straße"},
        {"username": "ÉVA STRASSE"},
        {"username": decomposed("éva straße")},
    ],
    ids=ascii,
)
def test_email_or_username_signs_in_however_it_is_written(app: Flask, acme: Tenant, name: dict[str, str]) -> None:
    person = acme.user(email="josé@example.com", username="Éva Straße")
    browser = Browser(app)

    answer = browser.post("/auth/login", {**name, "password": PASSWORD})

    assert answer.status_code == 200, answer.text
    assert browser.get("/users/me").get_json()["id"] == person.user_id


def test_the_answer_has_the_user_and_no_token_but_the_cookies(app: Flask, acme: Tenant) -> None:
    person = acme.user(first_name="Ada")

    answer = Browser(app).log_in(person.email)

    body = answer.get_json()
    assert set(body) == {"message", "user", "password_reset_required"}
    assert body["user"]["id"] == person.user_id
    assert body["user"]["first_name"] == "Ada"
    assert body["user"]["last_login_at"] is not None
    assert body["password_reset_required"] is False
    assert set(set_cookies(answer)) == {"access_token", "refresh_token"}


def test_a_program_asks_for_the_tokens_in_the_body(app: Flask, acme: Tenant) -> None:
    person = acme.user()

    answer = Browser(app).log_in(person.email, query_string="token=body")

    body = answer.get_json()
    assert (body["token_type"], body["expires_in"]) == ("Bearer", 15 * 60)
    assert body["access_token"] == set_cookies(answer)["access_token"].value
    assert body["refresh_token"] == set_cookies(answer)["refresh_token"].value
    assert ApiClient(app, body["access_token"]).get("/users/me").get_json()["id"] == person.user_id


def test_whether_the_password_must_be_changed_is_said(app: Flask, acme: Tenant) -> None:
    person = acme.user(password_reset_required=True)

    answer = Browser(app).log_in(person.email)

    assert answer.get_json()["password_reset_required"] is True


def test_a_password_signs_in_however_its_characters_are_composed(app: Flask, acme: Tenant) -> None:
    acme.admin.create("/users", {"email": "u@example.com", "password": UMLAUTS})

    answer = Browser(app).log_in("u@example.com", decomposed(UMLAUTS))

    assert answer.status_code == 200


def test_a_login_moves_no_version(app: Flask, acme: Tenant) -> None:
    person = acme.user()
    before = user_row(app, person)

    signed_in(app, person)

    after = user_row(app, person)
    assert after.row_version == before.row_version
    assert after.updated_at == before.updated_at
    assert before.last_login_at is None
    assert after.last_login_at is not None


def test_a_session_knows_from_where_it_came(app: Flask, acme: Tenant) -> None:
    agent = "Browser/1.0 \x07" + "x" * 300
    browser = signed_in(app, acme.user(), address="192.0.2.7", headers={"User-Agent": agent})

    session = current_session(browser)

    assert session["ip"] == "192.0.2.7"
    assert session["user_agent"] == ("Browser/1.0 " + "x" * 300)[:255]


def test_only_the_digest_of_a_refresh_token_is_stored(app: Flask, acme: Tenant) -> None:
    browser = signed_in(app, acme.user())
    session = UUID(current_session(browser)["id"])

    stored = fetch(app, acme, select(RefreshToken.token_hash).where(RefreshToken.session_id == session))[0]

    assert stored == sha256((browser.cookie("refresh_token") or "").encode()).digest()


def test_names_are_in_the_token_when_the_settings_say_so(variant: Variant, acme: Tenant) -> None:
    person = acme.user(first_name="Ada", last_name="Byron")

    answer = Browser(variant(JWT_PROFILE_CLAIMS="true")).log_in(person.email)

    claims = jwt.decode(set_cookies(answer)["access_token"].value, options={"verify_signature": False})
    assert (claims["first_name"], claims["last_name"]) == ("Ada", "Byron")


# Hashes of other systems and of other days

OLDER = {
    "werkzeug pbkdf2": lambda: generate_password_hash(PASSWORD, "pbkdf2:sha256:1000"),
    "werkzeug scrypt": lambda: generate_password_hash(PASSWORD, "scrypt:1024:8:1"),
    "bcrypt": lambda: bcrypt.hashpw(PASSWORD.encode(), bcrypt.gensalt(4)).decode(),
    "other parameters": lambda: PasswordHasher(time_cost=2, memory_cost=128, parallelism=1).hash(PASSWORD),
}


@pytest.fixture(params=sorted(OLDER))
def moved_in(request: pytest.FixtureRequest, app: Flask, acme: Tenant) -> ApiClient:
    """Somebody with an older hash."""
    person = acme.user()
    older = OLDER[request.param]()
    execute(app, acme, update(User).where(User.id == UUID(person.user_id)).values(password_hash=older))
    return person


def test_an_older_hash_is_upgraded_by_the_first_login_and_only_by_it(app: Flask, moved_in: ApiClient) -> None:
    older = user_row(app, moved_in).password_hash

    wrong = Browser(app).log_in(moved_in.email, "wrong password")
    untouched = user_row(app, moved_in).password_hash
    first = Browser(app).log_in(moved_in.email)
    upgraded = user_row(app, moved_in)
    second = Browser(app).log_in(moved_in.email)

    assert (wrong.status_code, first.status_code, second.status_code) == (401, 200, 200)
    assert untouched == older
    assert (upgraded.password_hash or "").startswith("$argon2id$v=19$m=64,t=1,p=1$")
    assert upgraded.last_password_change is None
    assert user_row(app, moved_in).password_hash == upgraded.password_hash


@both_databases
def test_parallel_first_logins_with_an_older_hash_all_succeed(app: Flask, acme: Tenant) -> None:
    person = acme.user()
    older = generate_password_hash(PASSWORD, "pbkdf2:sha256:50000")
    execute(app, acme, update(User).where(User.id == UUID(person.user_id)).values(password_hash=older))

    with ThreadPoolExecutor(5) as threads:
        answers = list(threads.map(lambda _: Browser(app).log_in(person.email).status_code, range(5)))

    assert answers == [200] * 5


@both_databases
def test_a_password_that_is_changed_during_a_login_no_longer_signs_in(
    variant: Variant, app: Flask, acme: Tenant
) -> None:
    person, slow = acme.user(), variant()

    def change() -> None:
        change = {"current_password": PASSWORD, "new_password": UMLAUTS}
        assert person.patch("/users/me/change-password", change).status_code == 200

    slow.extensions["identity"].passwords = Interrupted(change)

    answer = Browser(slow).log_in(person.email)

    assert answer.status_code == 401
    assert len(person.get("/auth/sessions").get_json()["data"]) == 1


@both_databases
def test_somebody_who_is_deleted_during_a_login_does_not_sign_in(variant: Variant, acme: Tenant) -> None:
    person, slow = acme.user(), variant()

    def delete() -> None:
        assert acme.admin.delete(f"/users/{person.user_id}").status_code == 204

    slow.extensions["identity"].passwords = Interrupted(delete)

    assert Browser(slow).log_in(person.email).status_code == 401
