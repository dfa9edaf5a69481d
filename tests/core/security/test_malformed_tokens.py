"""Texts that are no token are refused, and raise nothing else."""

from typing import Any

from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from app.base.errors import Unauthenticated
from app.core.security.tokens import Claims
from tests.core.security.signing import SECRET, external, headed, is_refused, shared, signed_by_us, tokens
from tests.support.rows import by_row


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
