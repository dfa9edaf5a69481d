"""Proof of an address: links that work once, for whom they were mailed, and not for ever."""

from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update
from uuid_utils.compat import uuid7

from app.accounts.auth.models import LoginFailure
from app.accounts.onboarding.pending import Registration
from app.base.clock import utcnow
from app.base.opaque_tokens import new_token
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs.one_time_links import OneTimeLink
from app.core.jobs.outbox import Job
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row

__all__ = ["everything"]
pytestmark = one_database
VERIFY, ASK = "/auth/verify-email", "/auth/verify-email/request"


def ask(anonymous: ApiClient, email: Any) -> Any:
    answer = anonymous.post(ASK, {"email": email})
    assert answer.status_code == 200, answer.text
    return answer.get_json()


def is_verified(company: Tenant, user: ApiClient) -> bool:
    found: bool = company.admin.get(f"/users/{user.user_id}").get_json()["is_verified"]
    return found


def linked(user: ApiClient, letters: Letters) -> str:
    """The token of a link that was mailed to an unverified user."""
    ask(ApiClient(user.app), user.email)
    return letters.one(user.email).token


def check_refused(anonymous: ApiClient, token: str) -> None:
    answer = anonymous.post(VERIFY, {"token": token})
    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_LINK")


# The link


@both_databases
def test_link_verifies_once(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    token = linked(user, letters)

    assert anonymous.post(VERIFY, {"token": token}).status_code == 200

    assert is_verified(acme, user)
    check_refused(anonymous, token)


@by_row("token", ["x", "", " ", "a.b", "é", "\ud800", "AAAA.", 1, None, "x" * 2000])
def test_token_that_nobody_was_mailed_is_refused(anonymous: ApiClient, token: Any) -> None:
    assert anonymous.post(VERIFY, {"token": token}).status_code == 400


def test_made_up_token_of_a_company_is_refused(acme: Tenant, anonymous: ApiClient) -> None:
    check_refused(anonymous, new_token(acme.company_id))
    check_refused(anonymous, new_token(uuid7()))


@both_databases
def test_expired_link_is_refused(acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine) -> None:
    user = acme.user()
    token = linked(user, letters)
    with everything.begin() as connection:
        connection.execute(update(OneTimeLink).values(expires_at=utcnow()))

    check_refused(anonymous, token)

    assert not is_verified(acme, user)


@both_databases
def test_newer_link_takes_the_place_of_the_older(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    older, newer = linked(user, letters), linked(user, letters)

    check_refused(anonymous, older)

    assert anonymous.post(VERIFY, {"token": newer}).status_code == 200


def test_link_for_another_purpose_is_refused(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    acme.admin.create("/users/invitations", {"email": "wile@example.com"})

    check_refused(anonymous, letters.one("wile@example.com").token)


def test_link_to_an_address_that_the_user_no_longer_has_is_refused(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    token = linked(user, letters)
    acme.admin.patch(f"/users/{user.user_id}", {"email": "elsewhere@example.com"})

    check_refused(anonymous, token)

    assert not is_verified(acme, user)


def test_address_is_compared_even_if_the_link_is_still_there(
    acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    user = acme.user()
    token = linked(user, letters)
    with everything.begin() as connection:
        connection.execute(update(OneTimeLink).values(address="elsewhere@example.com"))

    check_refused(anonymous, token)

    assert not is_verified(acme, user)


@both_databases
def test_link_of_a_user_who_was_deleted_is_gone(
    acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    user = acme.user()
    token = linked(user, letters)
    assert acme.admin.delete(f"/users/{user.user_id}").status_code == 204

    check_refused(anonymous, token)
    assert row_counts(everything)["one_time_link"] == 0


def test_link_does_not_activate_somebody_who_was_deactivated(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    user = acme.user()
    token = linked(user, letters)
    acme.admin.patch(f"/users/{user.user_id}", {"is_active": False})

    anonymous.post(VERIFY, {"token": token})

    assert acme.admin.get(f"/users/{user.user_id}").get_json()["is_active"] is False


def test_token_is_stored_as_a_hash(acme: Tenant, letters: Letters) -> None:
    token = linked(acme.user(), letters)

    with acme.app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
        [link] = db.session.scalars(select(OneTimeLink)).all()
        waiting = [str(each.payload) for each in db.session.scalars(select(Job)).all()]

    assert link.token_hash is not None
    assert len(link.token_hash) == 32
    assert token.encode() not in link.token_hash
    assert token not in "".join(waiting)


# Asking for another


@by_row("email", ["nobody@example.com", "not an address", 1, None, ["a@example.com"], {}, "x" * 9999])
def test_whatever_is_asked_the_answer_is_one(acme: Tenant, anonymous: ApiClient, letters: Letters, email: Any) -> None:
    known = ask(anonymous, acme.user().email)
    letters.received()

    assert ask(anonymous, email) == known

    assert letters.received() == []


@both_databases
def test_asking_sends_the_same_statements_for_known_and_unknown(
    acme: Tenant, anonymous: ApiClient, statements: Any
) -> None:
    sent = []

    for email in (acme.user().email, "nobody@example.com", "not an address"):
        with statements() as each:
            ask(anonymous, email)
        sent.append(list(each))

    assert sent[0] == sent[1] == sent[2]
    assert len(sent[0]) == 1


def test_body_that_is_no_object_is_refused(anonymous: ApiClient) -> None:
    assert anonymous.post(ASK, []).status_code == 400
    assert anonymous.post(ASK, data="{", content_type="application/json").status_code == 400
    assert anonymous.post(ASK, data="x", content_type="text/plain").status_code == 415


def test_who_has_nothing_to_verify_gets_no_mail(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    verified, deactivated = acme.user(is_verified=True), acme.user(is_active=False)
    acme.admin.create("/users/invitations", {"email": "invited@example.com"})
    letters.received()

    for email in (verified.email, deactivated.email, "invited@example.com"):
        ask(anonymous, email)

    assert letters.received() == []


@both_databases
def test_one_account_gets_five_links_a_day(
    app: Flask, acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    user, other = acme.user(), acme.user()
    for _ in range(7):
        ask(anonymous, user.email)
        ask(anonymous, other.email)

    recipients = [letter.to for letter in letters.received()]
    ask(anonymous, user.email)
    none = letters.received()
    _pass_a_day(everything)
    ask(anonymous, user.email)

    # Of several links that wait to be mailed only the last one is of use.
    assert set(recipients) == {user.email, other.email}
    assert none == []
    assert letters.one(user.email)


def _pass_a_day(everything: Engine) -> None:
    with everything.begin() as connection:
        connection.execute(update(LoginFailure).values(last_attempt_at=utcnow() - timedelta(hours=25)))


def test_sixth_link_of_a_day_is_not_sent(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()
    sent = []

    for _ in range(7):
        ask(anonymous, user.email)
        sent.append(len(letters.received()))

    assert sent == [1, 1, 1, 1, 1, 0, 0]


@pytest.fixture
def shop(acme: Tenant, globex: Tenant) -> Tenant:
    """A company that takes customers."""
    assert acme.admin.patch(f"/companies/{globex.company_id}", {"customer_registration": "open"}).status_code == 200
    return globex


def signed_up(anonymous: ApiClient, company: Tenant, letters: Letters, password: str = PASSWORD) -> str:
    """The token of the link that was mailed."""
    person = {"email": "wile@example.com", "password1": password, "password2": password}
    answer = anonymous.post("/auth/register", person | {"company_id": str(company.company_id)})
    assert answer.status_code == 202, answer.text
    return letters.one("wile@example.com").token


def test_registration_lives_on_with_a_new_link(
    shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    former = signed_up(anonymous, shop, letters)
    with everything.begin() as connection:
        connection.execute(update(Registration).values(expires_at=utcnow() + timedelta(seconds=60)))

    ask(anonymous, "WILE@example.com")
    token = letters.one("wile@example.com").token

    with everything.connect() as connection:
        assert connection.scalars(select(Registration.expires_at)).one() > utcnow() + timedelta(hours=23)
    check_refused(anonymous, former)
    assert anonymous.post(VERIFY, {"token": token}).status_code == 200
    assert anonymous.post("/auth/login", {"email": "wile@example.com", "password": PASSWORD}).status_code == 200


@both_databases
def test_of_several_registrations_the_newest_is_mailed_again(
    shop: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    chosen = ("of the first one", "of the second one")
    first, _ = (signed_up(anonymous, shop, letters, each) for each in chosen)

    ask(anonymous, "wile@example.com")
    token = letters.one("wile@example.com").token

    assert anonymous.post(VERIFY, {"token": token}).status_code == 200
    assert anonymous.post("/auth/login", {"email": "wile@example.com", "password": chosen[1]}).status_code == 200
    assert anonymous.post(VERIFY, {"token": first}).status_code == 409


def test_registration_that_is_over_is_not_mailed_again(
    shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    signed_up(anonymous, shop, letters)
    with everything.begin() as connection:
        connection.execute(update(Registration).values(expires_at=utcnow()))

    ask(anonymous, "wile@example.com")

    assert letters.received() == []


@both_databases
def test_registration_is_mailed_again_five_times_a_day(shop: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    signed_up(anonymous, shop, letters)
    sent = []

    for email in ("wile@example.com", "WILE@example.com", *["wile@example.com"] * 5):
        ask(anonymous, email)
        sent.append(len(letters.received()))

    assert sent == [1, 1, 1, 1, 1, 0, 0]
