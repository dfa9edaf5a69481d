"""What the former SECRET_KEY sealed, hashed or signed is good for as long as SECRET_KEY_PREVIOUS names it."""

import pytest
from flask import Flask

from tests.accounts.auth.test_throttle import failures, guess
from tests.accounts.passwords.codes import NEW, REQUEST, code_in, confirm, given_code
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.databases import SECRET
from tests.support.letters import Letters, letters
from tests.support.mailbox import Mailbox, mailbox
from tests.support.marks import both_databases, one_database
from tests.support.variants import Variant, variant

__all__ = ["letters", "mailbox", "variant"]
pytestmark = one_database
LATER = {"SECRET_KEY": "the-secret-after-the-change-0123456789", "REGISTRATION": "open"}
PREVIOUS = {"SECRET_KEY_PREVIOUS": SECRET}
FOUNDER = {"email": "wile@example.com", "password1": PASSWORD, "password2": PASSWORD, "company": {"name": "Initech"}}


@pytest.fixture(params=[True, False], ids=["named", "forgotten"])
def is_named(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


@pytest.fixture
def later(variant: Variant, is_named: bool) -> Flask:
    """The service with another SECRET_KEY."""
    return variant(**LATER, **(PREVIOUS if is_named else {}))


@pytest.fixture
def earlier(variant: Variant) -> Flask:
    return variant(REGISTRATION="open")


@pytest.fixture
def mail(later: Flask, letters: Letters) -> Letters:
    """What the service of the later secret sends."""
    later.extensions["identity"].mailer = letters.mailbox.app.extensions["identity"].mailer
    return Letters(Mailbox(later, letters.mailbox.folder))


def test_cursor_goes_on(acme: Tenant, later: Flask, is_named: bool) -> None:
    rows = [acme.admin.create("/customers", {"name": f"c{number}"})["id"] for number in range(3)]
    cursor = acme.admin.get("/customers?limit=2").get_json()["pagination"]["next_cursor"]
    client = ApiClient(later, acme.admin.token)

    answer = client.get(f"/customers?limit=2&cursor={cursor}")

    assert answer.status_code == (200 if is_named else 400)
    if is_named:
        assert [row["id"] for row in answer.get_json()["data"]] == rows[2:]


def test_new_cursor_is_of_the_new_secret(acme: Tenant, app: Flask, later: Flask) -> None:
    for number in range(3):
        acme.admin.create("/customers", {"name": f"c{number}"})
    cursor = ApiClient(later, acme.admin.token).get("/customers?limit=2").get_json()["pagination"]["next_cursor"]

    assert acme.admin.get(f"/customers?limit=2&cursor={cursor}").status_code == 400


def test_mailed_code_works(acme: Tenant, later: Flask, is_named: bool) -> None:
    person = acme.user()
    code = given_code(person)

    assert confirm(later, person.email, code).status_code == (200 if is_named else 400)


def test_sealed_job_is_executed(acme: Tenant, anonymous: ApiClient, mail: Letters, is_named: bool) -> None:
    person = acme.user()
    anonymous.post(REQUEST, {"email": person.email})

    received = mail.received()

    assert len(received) == int(is_named)
    if is_named:
        assert confirm(mail.mailbox.app, person.email, code_in(received[0].text), NEW).status_code == 200


def test_registration_is_completed(earlier: Flask, later: Flask, letters: Letters, is_named: bool) -> None:
    assert ApiClient(earlier).post("/auth/register", FOUNDER).status_code == 202
    token = letters.one("wile@example.com").token

    assert ApiClient(later).post("/auth/verify-email", {"token": token}).status_code == (200 if is_named else 400)


@both_databases
def test_registration_is_found_by_its_address(
    earlier: Flask, later: Flask, letters: Letters, mail: Letters, is_named: bool
) -> None:
    ApiClient(earlier).post("/auth/register", FOUNDER)
    letters.one("wile@example.com")

    ApiClient(later).post("/auth/verify-email/request", {"email": "wile@example.com"})

    assert len(mail.received()) == int(is_named)


@both_databases
def test_failures_are_counted_on(acme: Tenant, app: Flask, later: Flask, is_named: bool) -> None:
    person = acme.user()
    assert guess(app, person.email, 4) == [401] * 4

    assert guess(later, person.email, 2) == ([401, 429] if is_named else [401, 401])
    assert sorted(row.attempts for row in failures(app)) == ([5] if is_named else [2, 4])


@both_databases
def test_failures_counted_under_both_secrets_are_added(acme: Tenant, app: Flask, variant: Variant) -> None:
    later, person = variant(**LATER, **PREVIOUS), acme.user()
    guess(later, person.email, 2)
    guess(app, person.email, 2)

    assert guess(later, person.email, 2) == [401, 429]
    assert [row.attempts for row in failures(app)] == [5]
