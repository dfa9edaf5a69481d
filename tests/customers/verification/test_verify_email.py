"""A customer's address is verified by whoever reads its mail, and no longer than it is the address."""

import base64
import hashlib
import re
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update
from werkzeug.test import TestResponse

from app.base.clock import utcnow
from app.base.opaque_tokens import new_token
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs.one_time_links import OneTimeLink
from tests.customers.dossier import customer, shown
from tests.customers.merge.merging import code_of, merged, undo, undone
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letter, Letters, letters
from tests.support.marks import one_database
from tests.support.rows import by_row

__all__ = ["everything", "letters"]
VERIFY = "/customers/verify-email"
LINK = re.compile(r"^(\S+/customers/verify-email)\?token=(\S+)$", re.MULTILINE)
ADDRESS = "wile@example.com"
JSON = {"Accept": "application/json"}
BROWSER = {"Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}


def send(company: Tenant, path: str) -> TestResponse:
    return company.admin.post(f"{path}/verify-email")


def token_in(letter: Letter) -> str:
    found = LINK.search(letter.text)
    assert found, letter.text
    return found[2]


def linked(company: Tenant, path: str, letters: Letters, to: str = ADDRESS) -> str:
    """The token of a link that was mailed."""
    answer = send(company, path)
    assert answer.status_code == 202, answer.text
    return token_in(letters.one(to))


def follow(app: Flask, token: str, headers: dict[str, str] = JSON) -> TestResponse:
    return ApiClient(app).get(VERIFY, query_string={"token": token}, headers=headers)


def check_refused(answer: TestResponse) -> None:
    assert code_of(answer) == (400, "INVALID_LINK")


def wait(company: Tenant, *, since: timedelta) -> None:
    """Let the links of a company be older."""
    with company.app.app_context(), tenant(company.company_id), unit_of_work():
        for link in db.session.scalars(select(OneTimeLink)):
            link.created_at -= since
            link.expires_at -= since


# The link


def test_a_customer_is_verified_by_following_the_link(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    before = shown(acme, path)["is_verified"]

    answer = follow(acme.app, token)

    found = shown(acme, path)
    assert answer.get_json()["status"] == "verified"
    assert (before, found["is_verified"]) == (False, True)
    assert found["email_verified_at"] is not None


def test_following_it_again_says_that_it_was_verified_already(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    follow(acme.app, token)
    verified = shown(acme, path)

    again = follow(acme.app, token)

    assert (again.status_code, again.get_json()["status"]) == (200, "already_verified")
    assert shown(acme, path) == verified


@one_database
@by_row("token", ["", "x", "x.y", "a" * 5000, "\x00", "é.é", "{}"])
def test_what_is_no_token_is_refused(app: Flask, acme: Tenant, token: str) -> None:
    assert follow(app, token).status_code == 400


def test_a_made_up_token_is_refused(app: Flask, acme: Tenant) -> None:
    check_refused(follow(app, new_token(acme.company_id)))
    check_refused(ApiClient(app).get(VERIFY, headers=JSON))


def test_a_link_works_for_24_hours(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)

    wait(acme, since=timedelta(hours=24))

    check_refused(follow(acme.app, token))
    assert shown(acme, path)["is_verified"] is False


def test_who_only_looks_whether_the_link_is_there_does_not_follow_it(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)

    looked = ApiClient(acme.app).request("HEAD", VERIFY, query_string={"token": token})

    assert looked.status_code == 200
    assert shown(acme, path)["is_verified"] is False
    assert follow(acme.app, token).get_json()["status"] == "verified"


def test_a_newer_link_takes_the_place_of_an_older_one(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    first = linked(acme, path, letters)
    wait(acme, since=timedelta(minutes=1))
    second = linked(acme, path, letters)

    check_refused(follow(acme.app, first))
    assert follow(acme.app, second).status_code == 200


def test_a_token_for_something_else_verifies_no_customer(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    body = {"new_email": "new@example.com", "current_password": PASSWORD}
    assert user.post("/users/me/email", body).status_code == 202
    token = letters.one("new@example.com").token

    check_refused(follow(acme.app, token))


# Asking for it


def test_sending_a_link_needs_customer_update(acme: Tenant, globex: Tenant) -> None:
    path = customer(acme, email=ADDRESS)

    for role in (None, "viewer", "customer"):
        assert acme.user(role).post(f"{path}/verify-email").status_code == 403
    assert send(globex, path).status_code == 404
    assert acme.user("manager").post(f"{path}/verify-email").status_code == 202


def test_a_customer_without_an_address_cannot_be_mailed(acme: Tenant, letters: Letters) -> None:
    assert code_of(send(acme, customer(acme))) == (409, "NO_EMAIL")
    assert letters.received() == []


def test_one_mail_a_minute_is_sent_to_a_customer(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    send(acme, path)

    again = send(acme, path)

    assert again.status_code == 429
    assert 0 < int(again.headers["Retry-After"]) <= 60
    assert len(letters.received()) == 1
    assert send(acme, customer(acme, email="other@example.com")).status_code == 202


def test_who_is_verified_is_not_mailed_again(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    follow(acme.app, linked(acme, path, letters))

    assert code_of(send(acme, path)) == (409, "ALREADY_VERIFIED")


@pytest.mark.parametrize(("language", "word"), [("en", "Confirm your"), ("fr", "Confirmez votre")])
def test_the_mail_is_in_the_language_of_who_asks(acme: Tenant, letters: Letters, language: str, word: str) -> None:
    path = customer(acme, email=ADDRESS, name="Wile")

    acme.user("administrator", language=language).post(f"{path}/verify-email")

    letter = letters.one(ADDRESS)
    assert word in letter.subject
    assert "Wile" in letter.text
    assert "acme" in letter.text


def test_the_link_leads_to_this_service_and_the_token_is_nowhere_else(
    acme: Tenant, letters: Letters, everything: Engine
) -> None:
    token = linked(acme, customer(acme, email=ADDRESS), letters)

    with everything.connect() as connection:
        stored = str(connection.exec_driver_sql("SELECT * FROM one_time_link").all())
        queued = str(connection.exec_driver_sql("SELECT * FROM outbox").all())
    assert token not in stored + queued
    assert ADDRESS not in queued


# Whose address it is


def test_a_changed_address_is_not_verified_and_its_link_is_dead(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    follow(acme.app, token)

    acme.admin.patch(path, {"email": "new@example.com"})

    found = shown(acme, path)
    assert (found["is_verified"], found["email_verified_at"]) == (False, None)
    check_refused(follow(acme.app, token))


def test_a_link_for_the_former_address_does_not_verify_the_new_one(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)
    acme.admin.patch(path, {"email": "new@example.com"})

    check_refused(follow(acme.app, token))
    assert shown(acme, path)["is_verified"] is False


def test_another_change_leaves_the_verification_alone(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    follow(acme.app, linked(acme, path, letters))

    acme.admin.patch(path, {"city": "x", "email": ADDRESS})

    assert shown(acme, path)["is_verified"] is True


def test_a_linked_customer_is_mailed_at_the_users_address(acme: Tenant, letters: Letters) -> None:
    user = acme.user(first_name="Ada", language="fr")
    path = customer(acme, user_id=user.user_id, email="own@example.com")

    send(acme, path)

    letter = letters.one(user.email)
    assert "Bonjour Ada" in letter.text
    assert follow(acme.app, token_in(letter)).status_code == 200


def test_a_linked_customer_is_unverified_when_the_users_address_changes(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id)
    token = linked(acme, path, letters, user.email)
    follow(acme.app, token)

    assert acme.admin.patch(f"/users/{user.user_id}", {"email": "new@example.com"}).status_code == 200

    assert shown(acme, path)["is_verified"] is False
    check_refused(follow(acme.app, token))


def test_a_linked_customer_is_unverified_when_the_user_is_deleted(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id, email="own@example.com")
    follow(acme.app, linked(acme, path, letters, user.email))
    assert shown(acme, path)["is_verified"] is True

    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204

    assert shown(acme, path)["is_verified"] is False


def test_a_merge_verifies_no_address_that_nobody_proved(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    source, target = customer(acme, user_id=user.user_id, email=ADDRESS), customer(acme)
    follow(acme.app, linked(acme, source, letters, user.email))

    merged(acme, target, source, user_id="target")

    found = shown(acme, target)
    assert (found["user_id"], found["email"], found["is_verified"]) == (None, ADDRESS, False)


@pytest.mark.parametrize("deleted", [True, False])
def test_an_undo_overwrites_no_unlinking_but_that_of_a_deleted_user(
    acme: Tenant, letters: Letters, deleted: bool
) -> None:
    user = acme.user()
    target, source = customer(acme), customer(acme, user_id=user.user_id)
    merged(acme, target, source)

    if deleted:
        assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204
    else:
        assert acme.admin.patch(target, {"user_id": None}).status_code == 200
    answer = undo(acme, target, source)

    assert answer.status_code == (200 if deleted else 409), answer.text


def test_an_undo_verifies_no_address_that_came_since(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    target, source = customer(acme, email=ADDRESS), customer(acme, user_id=user.user_id)
    follow(acme.app, linked(acme, target, letters))
    merged(acme, target, source)
    assert acme.admin.patch(target, {"email": "later@example.com"}).status_code == 200

    undone(acme, target, source)

    found = shown(acme, target)
    assert (found["user_id"], found["email"], found["is_verified"]) == (None, "later@example.com", False)


def test_a_link_sent_before_the_users_address_changed_is_dead(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id)
    token = linked(acme, path, letters, user.email)

    acme.admin.patch(f"/users/{user.user_id}", {"email": "new@example.com"})

    check_refused(follow(acme.app, token))


def test_a_link_to_a_user_who_is_gone_is_dead(acme: Tenant, letters: Letters) -> None:
    user = acme.user()
    path = customer(acme, user_id=user.user_id, email=ADDRESS)
    token = linked(acme, path, letters, user.email)

    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204

    check_refused(follow(acme.app, token))
    assert shown(acme, path)["is_verified"] is False


@pytest.mark.parametrize("before", [True, False])
def test_linking_and_unlinking_a_user_unverifies(acme: Tenant, letters: Letters, before: bool) -> None:
    user = acme.user()
    link, unlink = {"user_id": user.user_id}, {"user_id": None}
    path = customer(acme, email=ADDRESS, **(link if before else {}))
    follow(acme.app, linked(acme, path, letters, user.email if before else ADDRESS))
    assert shown(acme, path)["is_verified"] is True

    acme.admin.patch(path, unlink if before else link)

    assert shown(acme, path)["is_verified"] is False


def test_a_deleted_customer_leaves_no_link(acme: Tenant, letters: Letters, everything: Engine) -> None:
    path = customer(acme, email=ADDRESS)
    token = linked(acme, path, letters)

    acme.admin.delete(path)

    assert row_counts(everything)["one_time_link"] == 0
    check_refused(follow(acme.app, token))


@pytest.mark.parametrize("survives", [True, False])
def test_a_merge_kills_the_links_of_both(acme: Tenant, letters: Letters, survives: bool) -> None:
    path, other = customer(acme, email=ADDRESS), customer(acme)
    token = linked(acme, path, letters)

    merged(acme, *((path, other) if survives else (other, path)))

    check_refused(follow(acme.app, token))


def test_a_mail_that_is_late_is_not_sent(acme: Tenant, letters: Letters) -> None:
    path = customer(acme, email=ADDRESS)
    send(acme, path)
    acme.admin.patch(path, {"email": "new@example.com"})

    assert letters.received() == []


# The page


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


@one_database
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
