"""Claims that are missing, wrong, expired or of the future."""

from time import time
from typing import Any

import pytest

from tests.core.security.signing import COMPANY, SECRET, USER, external, is_refused, shared, tokens
from tests.support.rows import by_row


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
