"""``flask customers split-addresses``: from one line to fields, and what it leaves alone."""

import re
from dataclasses import astuple

import pytest
from flask import Flask

from app.customers.splitting import split_address
from tests.customers.dossier import customer, shown
from tests.support.clients import Tenant
from tests.support.rows import by_row

PARTS = ("street_address", "city", "state", "postal_code", "country")


@by_row(
    ("text", "parts"),
    [
        ("123 Main St, Portland, OR, 97201", ("123 Main St", "Portland", "OR", "97201", None)),
        ("123 Main St, Portland, OR 97201, USA", ("123 Main St", "Portland", "OR", "97201", "US")),
        (
            "123 Main St\nFlat 2\nPortland, Oregon, 97201-1234",
            ("123 Main St, Flat 2", "Portland", "Oregon", "97201-1234", None),
        ),
        ("1 High St, Springfield, CA", ("1 High St", "Springfield", "CA", None, None)),
        ("12 Mill Lane, Eastmere", ("12 Mill Lane", "Eastmere", None, None, None)),
        ("12 Mill Lane, Eastmere, United Kingdom", ("12 Mill Lane", "Eastmere", None, None, "GB")),
        ("10 Downing St, London, SW1A 2AA, UK", ("10 Downing St", "London", None, "SW1A 2AA", "GB")),
        ("Hauptstr. 5, 53111 Bonn, Germany", ("Hauptstr. 5", "Bonn", None, "53111", "DE")),
        ("Hauptstr. 5, D-53111 Bonn", ("Hauptstr. 5", "Bonn", None, "D-53111", None)),
        ("1 High St, Springfield 62701", ("1 High St", "Springfield", None, "62701", None)),
    ],
)
def test_what_can_be_told_is_told(text: str, parts: tuple[str | None, ...]) -> None:
    found = split_address(text)

    assert found is not None
    assert astuple(found) == parts


@by_row(
    "text",
    ["", " ", "Desert", "97201", "Portland, 97201", "USA", ",;\n", "12, 13", "x" * 255, "Calle 7 No. 3-61", "1, USA"],
)
def test_what_would_be_guessed_is_left(text: str) -> None:
    assert split_address(text) is None


def test_addresses_of_every_company_are_split_and_the_text_is_kept(app: Flask, acme: Tenant, globex: Tenant) -> None:
    text = "123 Main St, Portland, OR, 97201"
    clear, foreign, vague = (
        customer(acme, address=text),
        customer(globex, address=text),
        customer(acme, address="Desert"),
    )
    done, none = customer(acme, address=text, city="Salem"), customer(acme)
    before = [shown(acme, path) for path in (vague, done, none)]

    dry = app.test_cli_runner().invoke(args=["customers", "split-addresses", "--dry-run"])
    untouched = shown(acme, clear)["city"]
    wet = app.test_cli_runner().invoke(args=["customers", "split-addresses"])

    assert dry.exit_code == wet.exit_code == 0, wet.output
    assert untouched is None
    for company, path in ((acme, clear), (globex, foreign)):
        found = shown(company, path)
        assert tuple(found[name] for name in PARTS) == ("123 Main St", "Portland", "OR", "97201", None)
        assert found["address"] == text
    assert [shown(acme, path) for path in (vague, done, none)] == before
    assert "Addresses to be mapped: 2; not mappable: 1." in dry.output
    assert "Addresses mapped: 2; not mappable: 1." in wet.output
    assert re.findall(r"customer ([0-9a-f-]{36})", wet.output) == [before[0]["id"]]


def test_more_customers_than_fit_a_batch_are_all_looked_at(
    app: Flask, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("app.customers.splitting.BATCH", 2)
    paths = [customer(acme, address=address) for address in ("1 Mill Lane, Eastmere", "Desert") * 3]

    result = app.test_cli_runner().invoke(args=["customers", "split-addresses"])

    assert "Addresses mapped: 3; not mappable: 3." in result.output
    assert [shown(acme, path)["city"] for path in paths] == ["Eastmere", None] * 3
