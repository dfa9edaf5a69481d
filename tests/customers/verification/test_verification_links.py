"""Links that verify the address of a customer."""

from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy import Engine, select

from app.base.opaque_tokens import new_token
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs.one_time_links import OneTimeLink
from tests.customers.dossier import customer, shown
from tests.customers.merge.merging import code_of
from tests.customers.verification.links import ADDRESS, JSON, VERIFY, check_refused, follow, linked, send
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything
from tests.support.letters import Letters, letters
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row

__all__ = ["everything", "letters"]
pytestmark = one_database


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


@by_row("token", ["", "x", "x.y", "a" * 5000, "\x00", "é.é", "{}"])
def test_what_is_no_token_is_refused(app: Flask, acme: Tenant, token: str) -> None:
    assert follow(app, token).status_code == 400


def test_a_made_up_token_is_refused(app: Flask, acme: Tenant) -> None:
    check_refused(follow(app, new_token(acme.company_id)))
    check_refused(ApiClient(app).get(VERIFY, headers=JSON))


@both_databases
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


@both_databases
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
    token = letters.to("new@example.com").token

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


@both_databases
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
