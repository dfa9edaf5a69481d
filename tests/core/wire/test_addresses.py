"""What is one e-mail address."""

import unicodedata
from typing import Any

import pytest
from marshmallow import ValidationError

from app.core.wire.schema import Email
from tests.support.rows import by_row


@by_row(
    "given",
    [
        None, True, 7, [], ["ada@example.com"], {"a": "ada@example.com"}, "", "ada", "@", "ada@", "@example.com",
        "ada@example.com,eve@example.com", "ada@example.com, eve@example.com", "ada@example.com;eve@example.com",
        "ada@example.com\r\nBcc: eve@example.com", "ada@example.com\nBcc: eve@example.com", "a\tb@example.com",
        '"ada,eve"@example.com', '"ada@example.com> x"@example.com', '"ada"@example.com', "Ada <ada@example.com>",
        "ada@example.com\x00", "ada@exa mple.com", "AD\u0130@example.com", "ada@\u202eexample.com",
        "ada@exa\u00admple.com", "ada@mün\u200dchen.example", "ada@-münchen.example", "ada@☃☃.example",
        f"ada@{'ü' * 64}.example", f"ada@{'ü.' * 5000}example", "ada@ü..example",
        "\ud800@example.com", "=?utf-8?q?eve=40example.org=2c?=@example.com",
    ],
)  # fmt: skip
def test_what_is_none_or_more_than_one_is_refused(given: Any) -> None:
    with pytest.raises(ValidationError):
        Email().deserialize(given)


@by_row(
    ("given", "address"),
    [
        ("  Ada@Example.COM \n", "ada@example.com"),
        ("o'brien+tag@example.com", "o'brien+tag@example.com"),
        (unicodedata.normalize("NFD", "zoë@example.com"), "zoë@example.com"),
        ("ad\u0131@example.com", "ad\u0131@example.com"),
        ("\u212aelvin@example.com", "kelvin@example.com"),
        ("ada@MÜNCHEN.example", "ada@xn--mnchen-3ya.example"),
        (unicodedata.normalize("NFD", "ada@münchen.example"), "ada@xn--mnchen-3ya.example"),
        ("ada@XN--MNCHEN-3YA.example", "ada@xn--mnchen-3ya.example"),
        ("ada@\uff45xample\u3002com", "ada@example.com"),
        ("ada@straße.example", "ada@xn--strae-oqa.example"),
        ("ada@пример.рф", "ada@xn--e1afmkfd.xn--p1ai"),
    ],
)
def test_what_is_one_gets_one_form(given: str, address: str) -> None:
    assert Email().deserialize(given) == address
