"""Algorithms and keys: each key verifies its own algorithm."""

import json
from time import time
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from app.base.errors import SettingsError
from tests.core.security.signing import (
    FORMER,
    KINDS,
    SECRET,
    external,
    headed,
    is_refused,
    segment,
    shared,
    signed_by_us,
    tokens,
)
from tests.support.rows import by_row


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
