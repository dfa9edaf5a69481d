"""Access tokens that are accepted, and what is in those of this service."""

import json
from base64 import urlsafe_b64decode
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any
from uuid import uuid4

import jwt
import pytest

from app.base.errors import SettingsError
from app.core.security.tokens import Claims
from tests.core.security.signing import (
    COMPANY,
    FORMER,
    KINDS,
    SECRET,
    SESSION,
    USER,
    external,
    is_refused,
    shared,
    signed_by_us,
    tokens,
)
from tests.support.rows import by_row


def payload_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


# What is accepted


def test_an_external_token_by_the_shared_secret_needs_three_claims_only() -> None:
    expires = int(time()) + 600

    found = tokens(JWT_SECRET=SECRET).verify(shared(external(exp=expires, iss="elsewhere")))

    assert (found.user_id, found.company_id) == (USER, COMPANY)
    assert (found.session_id, found.email, found.issued_at) == (None, None, None)
    assert found.expires_at == datetime.fromtimestamp(expires, UTC)


def test_user_id_may_stand_for_sub() -> None:
    ours = tokens(JWT_SECRET=SECRET)

    assert ours.verify(shared(external(sub=None, user_id=str(USER)))).user_id == USER
    assert ours.verify(shared(external(user_id=str(USER)))).user_id == USER


def test_an_external_token_may_name_a_key_that_we_do_not_know() -> None:
    token = shared(external(), {"alg": "HS256", "kid": "2024"})

    assert tokens(JWT_SECRET=SECRET).verify(token).user_id == USER


def test_the_former_secret_verifies_but_does_not_sign() -> None:
    ours = tokens(JWT_SECRET=SECRET, JWT_SECRET_PREVIOUS=FORMER)

    assert ours.verify(shared(external(), secret=FORMER)).user_id == USER
    assert is_refused(tokens(JWT_SECRET=FORMER), signed_by_us(ours))


def test_our_token_has_the_claims_of_the_specification_and_no_others() -> None:
    claims = payload_of(signed_by_us(tokens(JWT_SECRET=SECRET)))

    names = {"sub", "user_id", "company_id", "sid", "email", "iat", "nbf", "exp", "iss", "jti"}
    assert set(claims) == names
    assert claims["sub"] == claims["user_id"] == str(USER)
    assert (claims["company_id"], claims["sid"]) == (str(COMPANY), str(SESSION))
    assert (claims["email"], claims["iss"]) == ("alice@acme.example", "identity-service")
    assert claims["exp"] - claims["iat"] == 15 * 60
    assert claims["nbf"] == claims["iat"] == pytest.approx(time(), abs=5)


def test_no_two_tokens_have_one_jti() -> None:
    ours = tokens(JWT_SECRET=SECRET)

    assert payload_of(signed_by_us(ours))["jti"] != payload_of(signed_by_us(ours))["jti"]


def test_settings_decide_life_issuer_and_audience() -> None:
    ours = tokens(JWT_SECRET=SECRET, ACCESS_TOKEN_TTL_MINUTES="3", JWT_ISSUER="acme-id", JWT_AUDIENCE="directory")

    claims = payload_of(signed_by_us(ours))

    assert claims["exp"] - claims["iat"] == 180
    assert (claims["iss"], claims["aud"]) == ("acme-id", "directory")
    assert ours.verify(signed_by_us(ours))


def test_names_are_written_only_with_profile_claims() -> None:
    names = {"first_name": "Alice", "last_name": "Liddell"}
    plain, profiled = tokens(JWT_SECRET=SECRET), tokens(JWT_SECRET=SECRET, JWT_PROFILE_CLAIMS="true")

    assert names.items().isdisjoint(payload_of(plain.sign(USER, COMPANY, SESSION, None, **names)).items())
    assert names.items() <= payload_of(profiled.sign(USER, COMPANY, SESSION, None, **names)).items()


def test_what_we_sign_we_read_back() -> None:
    ours = tokens(JWT_SECRET=SECRET)
    token = signed_by_us(ours)

    found = ours.verify(token)

    claims = payload_of(token)
    assert found == Claims(
        user_id=USER,
        company_id=COMPANY,
        session_id=SESSION,
        email="alice@acme.example",
        issued_at=datetime.fromtimestamp(claims["iat"], UTC),
        expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        raw=claims,
    )


def test_a_token_without_a_session_or_an_email_does_not_say_null() -> None:
    ours = tokens(JWT_SECRET=SECRET)

    token = ours.sign(USER, COMPANY, None, None)

    assert {"sid", "email"}.isdisjoint(payload_of(token))
    assert ours.verify(token).session_id is None


@by_row("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_private_key_signs_its_algorithm_under_its_thumbprint(pems: dict[str, str], algorithm: str) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems[KINDS[algorithm]], JWT_SECRET=SECRET)
    token = signed_by_us(ours)

    [published] = ours.public_keys()["keys"]

    header = jwt.get_unverified_header(token)
    assert (header["alg"], header["kid"]) == (algorithm, published["kid"])
    assert ours.verify(token).session_id == SESSION
    assert jwt.decode(token, jwt.PyJWK(published), algorithms=[algorithm])["sub"] == str(USER)


def test_the_first_key_signs_and_all_verify(pems: dict[str, str]) -> None:
    before = tokens(JWT_PRIVATE_KEY_FILE=f"{pems['rsa']}")
    after = tokens(JWT_PRIVATE_KEY_FILE=f"{pems['ed']},{pems['rsa']},{pems['ec']}")

    assert after.verify(signed_by_us(before)).user_id == USER
    assert jwt.get_unverified_header(signed_by_us(after))["alg"] == "EdDSA"
    assert [key["alg"] for key in after.public_keys()["keys"]] == ["EdDSA", "RS256", "ES256"]


def test_with_a_private_key_a_shared_secret_still_verifies(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["ec"], JWT_SECRET=SECRET)

    assert ours.verify(shared(external())).user_id == USER


def test_only_public_members_are_published(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=f"{pems['rsa']},{pems['ec']},{pems['ed']}", JWT_SECRET=SECRET)

    published = ours.public_keys()["keys"]

    common = {"kty", "kid", "use", "alg"}
    assert [set(key) - common for key in published] == [{"n", "e"}, {"crv", "x", "y"}, {"crv", "x"}]
    assert {key["use"] for key in published} == {"sig"}


def test_a_service_without_key_files_publishes_an_empty_set() -> None:
    assert tokens(JWT_SECRET=SECRET).public_keys() == {"keys": []}


def test_the_published_set_cannot_be_changed_by_its_reader(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["ed"])

    ours.public_keys()["keys"][0]["kid"] = "changed"

    assert ours.public_keys()["keys"][0]["kid"] != "changed"


# Speed


@pytest.fixture
def many() -> list[str]:
    ours = tokens(JWT_SECRET=SECRET)
    return [ours.sign(uuid4(), COMPANY, uuid4(), "alice@acme.example") for _ in range(200)]


def test_verifying_costs_a_small_part_of_a_request(many: list[str]) -> None:
    """Measured 13 us; the bound is loose because a busy machine must not fail it."""
    ours = tokens(JWT_SECRET=SECRET)
    rounds = []

    for _ in range(5):
        start = time()
        for token in many:
            ours.verify(token)
        rounds.append((time() - start) / len(many))

    assert min(rounds) < 150e-6


def test_a_key_file_that_vanished_is_a_fault_of_the_settings(tmp_path: Path) -> None:
    with pytest.raises(SettingsError):
        tokens(JWT_PRIVATE_KEY_FILE=str(tmp_path / "absent"))
