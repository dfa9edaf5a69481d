"""What is the URL of a website."""

import pytest
from marshmallow import ValidationError

from app.core.wire.schema import Url
from tests.support.rows import by_row


@by_row(
    "given",
    [
        "https://user@site.example",
        "https://user:password@site.example/",
        "https://bank.example@evil.example",
        "https://bank.example:x@evil.example/path",
        "https://@evil.example",
        "https://bank.example%2f@evil.example",
        "https://bank.example\\@evil.example",
        "https://site.example/\u202egnp.exe",
        "https://\u2066site\u2069.example",
        "https://site.example/\u200f",
        "https://site.example/\u061c",
        "https://site.example/\u200b",
        "javascript:alert(1)",
        "//site.example",
        "https:site.example",
    ],
)
def test_what_looks_like_another_site_is_refused(given: str) -> None:
    with pytest.raises(ValidationError):
        Url().deserialize(given)


@by_row(
    "given",
    [
        "https://site.example",
        "http://site.example:8080/path?query=a@b#c@d",
        "https://site.example/@somebody",
        "https://site.example?mail=ada@site.example",
        "https://münchen.example/straße",
        "https://[2001:db8::1]/",
    ],
)
def test_a_website_is_kept_as_it_is(given: str) -> None:
    assert Url().deserialize(f" {given} ") == given
