"""Thumbprints (RFC 7638) and keys derived from a secret."""

import hashlib
import hmac

from app.base.keys import derive_key, derive_keys, thumbprint
from tests.core.security.signing import FORMER, SECRET


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


def test_a_secret_that_is_missing_or_named_twice_adds_no_key() -> None:
    both = derive_keys((SECRET, FORMER), "cursor")

    assert both == (derive_key(SECRET, "cursor"), derive_key(FORMER, "cursor"))
    assert derive_keys((SECRET, ""), "cursor") == derive_keys((SECRET, SECRET), "cursor") == both[:1]
