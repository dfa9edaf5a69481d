"""The page that a followed link shows."""

import base64
import hashlib
import re
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import update
from werkzeug.test import TestResponse

from app.base.clock import utcnow
from app.base.opaque_tokens import new_token
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs.one_time_links import OneTimeLink
from tests.customers.dossier import customer
from tests.customers.verification.links import ADDRESS, check_refused, follow, linked
from tests.support.clients import Tenant
from tests.support.everything import everything
from tests.support.letters import Letters, letters
from tests.support.marks import both_databases, one_database

__all__ = ["everything", "letters"]
pytestmark = one_database
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def page_of(app: Flask, token: str, **headers: str) -> TestResponse:
    return follow(app, token, BROWSER | headers)


def test_a_browser_gets_a_page(acme: Tenant, letters: Letters) -> None:
    token = linked(acme, customer(acme, email=ADDRESS), letters)

    pages = [page_of(acme.app, token), page_of(acme.app, token), page_of(acme.app, "x")]

    assert [page.status_code for page in pages] == [200, 200, 400]
    assert {page.mimetype for page in pages} == {"text/html"}
    headings = [re.findall("<h1>(.*)</h1>", page.text)[0] for page in pages]
    assert headings == [
        "Your e-mail address is confirmed",
        "Your e-mail address was confirmed already",
        "This link does not work",
    ]
    assert all(page.headers["Vary"] == "Accept, Accept-Language" for page in pages)
    assert all(page.headers["Cache-Control"] == "no-store" for page in pages)


def test_the_page_is_in_the_readers_language(app: Flask, acme: Tenant) -> None:
    page = page_of(app, "x", **{"Accept-Language": "fr-CH, fr;q=0.9, en;q=0.8"})

    assert '<html lang="fr">' in page.text
    assert "Ce lien ne fonctionne pas" in page.text
    assert page.headers["Content-Language"] == "fr"


def test_the_page_may_show_its_own_style_and_nothing_else(app: Flask, acme: Tenant) -> None:
    page = page_of(app, "<script>alert(1)</script>")

    policy = dict(part.split(" ", 1) for part in page.headers["Content-Security-Policy"].split("; "))
    [style] = re.findall("<style>(.*)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert policy == {
        "default-src": "'none'",
        "style-src": f"'sha256-{digest}'",
        "base-uri": "'none'",
        "form-action": "'none'",
        "frame-ancestors": "'none'",
    }
    assert not re.search(r"<script|<a |src=|href=| on\w+=", page.text)


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "text/html"),
        ("*/*", "text/html"),
        ("text/html, application/json;q=0.5", "text/html"),
        ("application/json", "application/json"),
        ("application/json, */*;q=0.1", "application/json"),
        ("image/png", "text/html"),
    ],
)
def test_json_is_for_who_asks_for_it(acme: Tenant, letters: Letters, accept: str | None, kind: str) -> None:
    token = linked(acme, customer(acme, email=ADDRESS), letters)
    headers: dict[str, Any] = {"Accept": accept} if accept else {}

    assert follow(acme.app, token, headers).mimetype == kind


@both_databases
def test_links_of_a_company_that_is_gone_are_refused(acme: Tenant, globex: Tenant, letters: Letters) -> None:
    token = linked(globex, customer(globex, email=ADDRESS), letters)
    acme.admin.patch(f"/companies/{globex.company_id}", {"status": "inactive"})
    assert acme.admin.delete(f"/companies/{globex.company_id}?cascade=true").status_code in (200, 204)

    check_refused(follow(acme.app, token))


def test_a_link_is_of_one_company(acme: Tenant, globex: Tenant, letters: Letters) -> None:
    token = linked(acme, customer(acme, email=ADDRESS), letters)
    other = f"{new_token(globex.company_id).partition('.')[0]}.{token.partition('.')[2]}"

    check_refused(follow(acme.app, other))
    assert follow(acme.app, token).status_code == 200


def test_a_used_link_goes_when_it_has_expired(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    follow(acme.app, token)
    with acme.app.app_context(), tenant(acme.company_id), unit_of_work():
        db.session.execute(update(OneTimeLink).values(expires_at=utcnow()))

    check_refused(follow(acme.app, token))
