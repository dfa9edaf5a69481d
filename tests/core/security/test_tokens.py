"""What is signed is accepted, and nothing else is; no token raises anything but a refusal."""

import hashlib
import hmac
import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime
from pathlib import Path
from time import time
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as generate_rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
)
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.base.errors import SettingsError, Unauthenticated
from app.base.keys import PrivateKey, derive_key, thumbprint
from app.config.environment import load_settings
from app.core.security.tokens import Claims, Tokens
from tests.support.rows import by_row

SECRET = "acme-shared-secret-0123456789-abcdefgh"
FORMER = "acme-former-secret-0123456789-abcdefgh"
USER = UUID("0190a5b2-7c3d-7e4f-8a1b-abcdefabcdef")
COMPANY = UUID("0190a5b2-7c3d-7e4f-8a1b-acacacacacac")
SESSION = UUID("0190a5b2-7c3d-7e4f-8a1b-5e5510a5e551")
KINDS = {"RS256": "rsa", "ES256": "ec", "EdDSA": "ed"}


def tokens(**environ: str) -> Tokens:
    return Tokens(load_settings({"SECRET_KEY": SECRET, **environ}))


def signed_by_us(ours: Tokens) -> str:
    return ours.sign(USER, COMPANY, SESSION, "alice@acme.example")


def segment(value: Any) -> str:
    raw = value if isinstance(value, bytes) else json.dumps(value).encode()
    return urlsafe_b64encode(raw).rstrip(b"=").decode()


def payload_of(token: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(urlsafe_b64decode(token.split(".")[1] + "=="))
    return found


def external(**changes: Any) -> dict[str, Any]:
    """The least that an external service must say; a change to None takes a claim away."""
    claims = {"sub": str(USER), "company_id": str(COMPANY), "exp": time() + 600, **changes}
    return {name: value for name, value in claims.items() if value is not None}


def shared(payload: Any, header: Any = None, secret: str | bytes = SECRET) -> str:
    """A compact JWS made by hand, so that no library tidies up what is wrong with it."""
    key = secret if isinstance(secret, bytes) else secret.encode()
    message = f"{segment(header or {'alg': 'HS256', 'typ': 'JWT'})}.{segment(payload)}"
    return f"{message}.{segment(hmac.digest(key, message.encode(), 'sha256'))}"


def headed(header: Any) -> str:
    return f"{segment(header)}.{segment(external())}.AAAA"


def is_refused(ours: Tokens, token: str) -> bool:
    try:
        ours.verify(token)
    except Unauthenticated as refusal:
        return refusal.headers == {"WWW-Authenticate": "Bearer"}
    return False


@pytest.fixture(scope="module")
def pems(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("keys")
    keys: dict[str, PrivateKey] = {
        "rsa": generate_rsa(65537, 2048),
        "rsa2": generate_rsa(65537, 2048),
        "weak": generate_rsa(65537, 1024),
        "ec": generate_ec(SECP256R1()),
        "ec384": generate_ec(SECP384R1()),
        "ed": Ed25519PrivateKey.generate(),
    }
    for name, key in keys.items():
        pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
        (folder / name).write_bytes(pem)
    locked = keys["ec"].private_bytes(Encoding.PEM, PrivateFormat.PKCS8, BestAvailableEncryption(b"x"))
    (folder / "locked").write_bytes(locked)
    (folder / "text").write_text("not a key")
    return {path.name: str(path) for path in folder.iterdir()}


# What is not a token at all


@by_row(
    "token",
    [
        "",
        ".",
        "..",
        "a.b",
        "a.b.c.d",
        "a.b.c",
        "\ud800",
        "é.é.é",
        "A" * 100_000,
        "A" * 3000 + "." + "A" * 3000 + "." + "A" * 3000,
        headed([]),
        headed(b"null"),
        headed(b"{"),
        headed(b"[" * 3000),
        headed(b"\xff\xfe"),
        headed({"alg": ["HS256"]}),
        headed({"alg": "HS256", "kid": 7}),
    ],
)
def test_what_is_not_a_token_is_refused(token: str) -> None:
    assert is_refused(tokens(JWT_SECRET=SECRET), token)


@hypothesis_settings(max_examples=200, deadline=None)
@given(st.one_of(st.text(), st.from_regex(r"[A-Za-z0-9_-]{1,90}(\.[A-Za-z0-9_-]{1,90}){2}", fullmatch=True)))
def test_no_text_raises_anything_but_a_refusal(text: str) -> None:
    assert is_refused(tokens(JWT_SECRET=SECRET), text)


@hypothesis_settings(max_examples=200, deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["sub", "user_id", "company_id", "sid", "email", "iat", "nbf", "exp", "iss", "aud"]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        ),
        max_size=4,
    )
)
def test_rightly_signed_nonsense_raises_nothing_but_a_refusal(changes: dict[str, Any]) -> None:
    token = shared({**external(), **changes})

    try:
        found = tokens(JWT_SECRET=SECRET).verify(token)
    except Unauthenticated:
        return
    assert isinstance(found, Claims)


def test_every_single_changed_character_breaks_a_token() -> None:
    ours = tokens(JWT_SECRET=SECRET)
    token = signed_by_us(ours)

    # The last character of an HS256 signature holds two bits that no decoder uses.
    for place in range(len(token) - 1):
        other = "A" if token[place] != "A" else "B"
        assert is_refused(ours, token[:place] + other + token[place + 1 :]), place


@by_row("junk", ["=", "==", " ", "\n", "\x00", "+", "/", "%"])
def test_a_token_with_foreign_characters_is_refused(junk: str) -> None:
    ours = tokens(JWT_SECRET=SECRET)
    token = signed_by_us(ours)

    assert is_refused(ours, token + junk)
    assert is_refused(ours, junk + token)
    assert is_refused(ours, token[:-5] + junk + token[-5:])


def test_a_token_of_more_than_8_kib_is_refused() -> None:
    ours = tokens(JWT_SECRET=SECRET)
    least = len(shared(external(pad="")))

    assert ours.verify(shared(external(pad="x" * ((8192 - least) * 3 // 4 - 40))))
    assert is_refused(ours, shared(external(pad="x" * 6200)))


# Algorithms and keys


@by_row("algorithm", ["none", "None", "NONE", "", "hs256", "HS384", "HS512", "PS256", "ES384"])
def test_an_algorithm_that_is_not_ours_is_refused(algorithm: str) -> None:
    ours = tokens(JWT_SECRET=SECRET)

    assert is_refused(ours, shared(external(), {"alg": algorithm}))
    assert is_refused(ours, shared(external(), {"alg": algorithm}).rpartition(".")[0] + ".")


def test_hs384_with_the_right_secret_is_refused() -> None:
    token = jwt.encode(external(exp=int(time()) + 60), SECRET * 2, "HS384")

    assert is_refused(tokens(JWT_SECRET=SECRET * 2), token)


@by_row("crit", [[], ["exp"], ["b64"], "exp", None])
def test_a_critical_header_is_refused(crit: Any) -> None:
    assert is_refused(tokens(JWT_SECRET=SECRET), shared(external(), {"alg": "HS256", "crit": crit}))


@by_row("kind", ["rsa", "ec", "ed"])
@by_row("extra", [{}, {"JWT_SECRET": SECRET}])
def test_a_public_key_is_never_an_hmac_secret(pems: dict[str, str], kind: str, extra: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems[kind], **extra)
    pair = next(iter(ours._pairs.values()))
    pem = pair.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    for secret in (pem, pem.strip(), json.dumps(pair.jwk).encode(), pair.kid.encode()):
        assert is_refused(ours, shared(external(), {"alg": "HS256", "kid": pair.kid}, secret))


@by_row("algorithm", ["RS256", "ES256", "EdDSA"])
def test_a_key_verifies_its_own_algorithm_only(pems: dict[str, str], algorithm: str) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems[KINDS[algorithm]])
    header, payload, signature = signed_by_us(ours).split(".")
    kid = jwt.get_unverified_header(f"{header}.{payload}.{signature}")["kid"]

    for other in {"HS256", "none", "PS256", *KINDS} - {algorithm}:
        forged = f"{segment({'alg': other, 'kid': kid})}.{payload}.{signature}"
        assert is_refused(ours, forged)


def test_an_rsa_key_does_not_verify_other_rsa_algorithms(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["rsa"])
    pair = next(iter(ours._pairs.values()))
    assert isinstance(pair.private, RSAPrivateKey)

    for algorithm in ("PS256", "RS384", "RS512"):
        token = jwt.encode(external(exp=int(time()) + 60), pair.private, algorithm, headers={"kid": pair.kid})
        assert is_refused(ours, token)


def test_a_token_of_a_private_key_must_name_its_key(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["ed"])
    pair = next(iter(ours._pairs.values()))
    claims = external(exp=int(time()) + 60)

    assert is_refused(ours, jwt.encode(claims, pair.private, "EdDSA"))
    assert is_refused(ours, jwt.encode(claims, pair.private, "EdDSA", headers={"kid": "other"}))


def test_hs256_is_refused_without_a_secret_even_with_a_former_one(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["ed"], JWT_SECRET_PREVIOUS=FORMER)

    assert is_refused(ours, shared(external(), secret=FORMER))
    assert is_refused(ours, shared(external(), secret=SECRET))
    assert is_refused(ours, shared(external(), secret=b""))


def test_an_asymmetric_token_is_refused_by_a_service_that_has_only_a_secret(pems: dict[str, str]) -> None:
    token = signed_by_us(tokens(JWT_PRIVATE_KEY_FILE=pems["rsa"]))

    assert is_refused(tokens(JWT_SECRET=SECRET), token)


@by_row("kid", [7, ["a"], {"a": 1}, True])
def test_a_key_id_that_is_no_text_is_refused(pems: dict[str, str], kid: Any) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["ed"], JWT_SECRET=SECRET)

    assert is_refused(ours, headed({"alg": "EdDSA", "kid": kid}))
    assert is_refused(ours, shared(external(), {"alg": "HS256", "kid": kid}))


def test_another_services_key_is_refused(pems: dict[str, str]) -> None:
    ours = tokens(JWT_PRIVATE_KEY_FILE=pems["rsa"])
    theirs = tokens(JWT_PRIVATE_KEY_FILE=pems["rsa2"])
    pair, foreign = next(iter(ours._pairs.values())), next(iter(theirs._pairs.values()))

    assert is_refused(ours, signed_by_us(theirs))
    claims = external(exp=int(time()) + 60)
    assert is_refused(ours, jwt.encode(claims, foreign.private, "RS256", headers={"kid": pair.kid}))


@by_row("unusable", ["weak", "ec384", "locked", "text"])
def test_a_key_file_that_cannot_sign_stops_the_start(pems: dict[str, str], unusable: str) -> None:
    with pytest.raises(SettingsError) as found:
        tokens(JWT_PRIVATE_KEY_FILE=f"{pems['rsa']},{pems[unusable]}")

    assert pems[unusable] in found.value.faults[0]


def test_a_public_key_as_secret_stops_the_start(pems: dict[str, str]) -> None:
    pair = next(iter(tokens(JWT_PRIVATE_KEY_FILE=pems["rsa"])._pairs.values()))
    pem = pair.public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()

    with pytest.raises(SettingsError):
        tokens(JWT_SECRET=pem)


# Claims


@by_row(
    "changes",
    [
        {"exp": None},
        {"exp": True},
        {"exp": "9999999999"},
        {"exp": [1]},
        {"exp": {}},
        {"exp": 0},
        {"exp": -1},
        {"exp": 1e308},
        {"exp": 10**30},
        {"sub": None},
        {"sub": 7},
        {"sub": ""},
        {"sub": str(USER).upper()},
        {"sub": USER.hex},
        {"sub": f"{{{USER}}}"},
        {"sub": f"urn:uuid:{USER}"},
        {"sub": f" {USER}"},
        {"sub": "alice"},
        {"sub": [str(USER)]},
        {"user_id": str(COMPANY)},
        {"user_id": 7},
        {"sub": str(USER).upper(), "user_id": str(USER).upper()},
        {"company_id": None},
        {"company_id": "acme"},
        {"company_id": COMPANY.hex},
        {"company_id": 1},
        {"sid": "x"},
        {"sid": ""},
        {"sid": 1},
        {"email": 1},
        {"email": ["alice@acme.example"]},
        {"email": "\ud800@acme.example"},
        {"iss": 5},
        {"jti": 5},
        {"iat": "1"},
        {"iat": True},
        {"iat": -1},
        {"iat": -1e300},
        {"nbf": "1"},
        {"nbf": []},
    ],
)
def test_a_claim_that_is_not_as_it_should_be_is_refused(changes: dict[str, Any]) -> None:
    ours = tokens(JWT_SECRET=SECRET)

    assert ours.verify(shared(external()))
    assert is_refused(ours, shared(external(**changes)))


@by_row(
    "payload",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b"\xff",
        b"[" * 5000 + b"]" * 500,
        b'{"a":' + b"[" * 2000 + b"]" * 2000 + b"}",
        b'{"exp": NaN}',
        b'{"exp": 1e999}',
        b'{"sub": "\\ud800"}',
    ],
)
def test_a_payload_that_is_not_a_json_object_is_refused(payload: bytes) -> None:
    token = shared(payload)

    assert len(token) <= 8192
    assert is_refused(tokens(JWT_SECRET=SECRET), token)


def test_an_expired_token_is_refused_at_once() -> None:
    ours = tokens(JWT_SECRET=SECRET)

    assert is_refused(ours, shared(external(exp=time())))
    assert is_refused(ours, shared(external(exp=time() - 1)))
    assert ours.verify(shared(external(exp=time() + 2)))


@by_row("iat", [None, 1, 1700000000])
def test_exp_is_at_most_24_hours_away(iat: int | None) -> None:
    ours = tokens(JWT_SECRET=SECRET)
    day = 24 * 60 * 60

    assert is_refused(ours, shared(external(iat=iat, exp=time() + day + 5)))
    assert ours.verify(shared(external(iat=iat, exp=time() + day - 1)))


@pytest.mark.parametrize("name", ["iat", "nbf"])
def test_a_token_of_the_future_is_refused_beyond_the_clock_leeway(name: str) -> None:
    ours = tokens(JWT_SECRET=SECRET)

    assert is_refused(ours, shared(external(**{name: time() + 7})))
    assert ours.verify(shared(external(**{name: time() + 3})))


@by_row("aud", ["other", ["other"], [1], {"directory": 1}, 7, ["directory", 1], None, [], ""])
def test_with_an_audience_a_token_must_name_it(aud: Any) -> None:
    assert is_refused(tokens(JWT_SECRET=SECRET, JWT_AUDIENCE="directory"), shared(external(aud=aud)))


@pytest.mark.parametrize("aud", ["directory", ["other", "directory"]])
def test_a_token_for_this_audience_is_accepted(aud: Any) -> None:
    assert tokens(JWT_SECRET=SECRET, JWT_AUDIENCE="directory").verify(shared(external(aud=aud)))


@by_row("aud", ["directory", ["directory"], 7, {"a": 1}])
def test_without_an_audience_a_token_that_names_one_is_refused(aud: Any) -> None:
    assert is_refused(tokens(JWT_SECRET=SECRET), shared(external(aud=aud)))


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


# Thumbprints and derived keys


def test_the_thumbprint_is_that_of_rfc_7638_section_3_1() -> None:
    modulus = (
        "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCi"
        "FV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb"
        "9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls"
        "1jF44-csFCur-kEgU8awapJzKnqDKgw"
    )
    jwk = {"kty": "RSA", "n": modulus, "e": "AQAB", "alg": "RS256", "kid": "2011-04-29"}

    assert thumbprint(jwk) == "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs"


def test_a_derived_key_is_hkdf_with_sha_256() -> None:
    prk = hmac.digest(b"\x00" * 32, SECRET.encode(), hashlib.sha256)
    first = hmac.digest(prk, b"cursor\x01", hashlib.sha256)
    second = hmac.digest(prk, first + b"cursor\x02", hashlib.sha256)

    assert derive_key(SECRET, "cursor") == first
    assert derive_key(SECRET, "cursor", 40) == (first + second)[:40]


def test_each_purpose_and_each_secret_has_a_key_of_its_own() -> None:
    keys = {derive_key(secret, purpose) for secret in (SECRET, FORMER) for purpose in ("cursor", "code")}

    assert len(keys) == 4


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
