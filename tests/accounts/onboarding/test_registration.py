"""Public sign-up: who may, what comes into being, and that nobody learns whose address is known."""

import dataclasses
import json
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import Engine, select, update
from uuid_utils.compat import uuid7

from app.accounts.onboarding.pending import Registration
from app.accounts.onboarding.registration import request_registration
from app.base.clock import utcnow
from app.core.jobs import outbox
from app.core.jobs.outbox import Job, LeaseLost
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.outbox import entries, make_due
from tests.support.rows import by_row

__all__ = ["everything"]
pytestmark = one_database
Json = dict[str, Any]
PATH = "/auth/register"
ADDRESS = "wile@example.com"


@pytest.fixture(autouse=True)
def _open(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = app.extensions["identity"]
    monkeypatch.setattr(kernel, "settings", dataclasses.replace(kernel.settings, registration="open"))


@pytest.fixture
def shop(acme: Tenant, globex: Tenant) -> Tenant:
    """A company that takes customers."""
    assert acme.admin.patch(f"/companies/{globex.company_id}", {"customer_registration": "open"}).status_code == 200
    return globex


def person(**values: Any) -> Json:
    return {"email": ADDRESS, "password1": PASSWORD, "password2": PASSWORD} | values


def founder(name: str = "Initech", **values: Any) -> Json:
    return person(company={"name": name}, **values)


def customer_of(company: Tenant, **values: Any) -> Json:
    return person(company_id=str(company.company_id), **values)


def register(anonymous: ApiClient, wish: Json) -> Json:
    answer = anonymous.post(PATH, wish)
    assert answer.status_code == 202, answer.text
    found: Json = answer.get_json()
    return found


def login(anonymous: ApiClient, password: str = PASSWORD) -> int:
    return anonymous.post("/auth/login", {"email": ADDRESS, "password": password}).status_code


def verify(anonymous: ApiClient, token: str) -> int:
    return anonymous.post("/auth/verify-email", {"token": token}).status_code


def signed_in(anonymous: ApiClient, password: str = PASSWORD) -> ApiClient:
    answer = anonymous.post("/auth/login?token=body", {"email": ADDRESS, "password": password})
    assert answer.status_code == 200, answer.text
    return ApiClient(anonymous.app, answer.get_json()["access_token"])


# Refusals


def test_nobody_founds_a_company_while_registration_is_closed(
    app: Flask, anonymous: ApiClient, everything: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel, before = app.extensions["identity"], row_counts(everything)
    monkeypatch.setattr(kernel, "settings", dataclasses.replace(kernel.settings, registration="closed"))

    answer = anonymous.post(PATH, founder())

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "REGISTRATION_CLOSED")
    assert row_counts(everything) == before


@by_row("wish", [{}, {"company": 5}, {"company": {"name": ""}}, founder(email="nobody", password1=5), person(x="y")])
def test_a_closed_registration_is_refused_before_it_is_validated(
    app: Flask, anonymous: ApiClient, wish: Json, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = app.extensions["identity"]
    monkeypatch.setattr(kernel, "settings", dataclasses.replace(kernel.settings, registration="closed"))

    answer = anonymous.post(PATH, wish)

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "REGISTRATION_CLOSED")


def test_a_company_that_takes_no_customers_refuses_before_it_validates(anonymous: ApiClient, acme: Tenant) -> None:
    answer = anonymous.post(PATH, customer_of(acme, email="nobody", password1=5))

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "REGISTRATION_CLOSED")


def test_an_unknown_a_closed_and_a_suspended_company_refuse_alike(
    acme: Tenant, shop: Tenant, anonymous: ApiClient
) -> None:
    acme.admin.patch(f"/companies/{shop.company_id}", {"status": "suspended"})

    bodies = [
        anonymous.post(PATH, person(company_id=str(company_id))).get_json()
        for company_id in (uuid7(), acme.company_id, shop.company_id)
    ]

    shown = [{k: v for k, v in body.items() if k not in ("request_id", "timestamp")} for body in bodies]
    assert shown[0]["status"] == 403
    assert shown == [shown[0]] * 3


@by_row(
    ("values", "field"),
    [
        ({"email": "nobody"}, "email"),
        ({"email": ["a@example.com"]}, "email"),
        ({"email": "a@example.com,b@example.com"}, "email"),
        ({"email": "a@example.com\r\nBcc: b@example.com"}, "email"),
        ({"password1": "short", "password2": "short"}, "password1"),
        ({"password1": ADDRESS, "password2": ADDRESS}, "password1"),
        ({"password2": "something else entirely"}, "password2"),
        ({"first_name": "x" * 51}, "first_name"),
        ({"first_name": "a\x00"}, "first_name"),
        ({"language": "de"}, "language"),
        ({"company": {}}, "company"),
        ({"company": {"name": " "}}, "company"),
        ({"company": {"name": "x", "status": "active"}}, "company"),
        ({"company_id": str(uuid7())}, "company"),
        ({"is_active": True}, "is_active"),
        ({"role_ids": []}, "role_ids"),
    ],
)
def test_value_that_does_not_fit_is_named_and_nothing_is_written(
    anonymous: ApiClient, everything: Engine, values: Json, field: str
) -> None:
    answer = anonymous.post(PATH, founder() | values)

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == [field]
    assert row_counts(everything)["outbox"] == 0


@both_databases
def test_name_of_a_company_that_there_is_is_a_conflict(acme: Tenant, anonymous: ApiClient) -> None:
    answer = anonymous.post(PATH, founder("ACME"))

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"company": {"name": ["Already in use."]}}


def test_form_that_another_site_sends_is_refused(anonymous: ApiClient) -> None:
    answer = anonymous.post(PATH, founder(), headers={"Sec-Fetch-Site": "cross-site"})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "CSRF_REJECTED")


# What comes into being


@both_databases
def test_founder_administers_the_new_company_once_the_address_is_verified(
    anonymous: ApiClient, letters: Letters
) -> None:
    register(anonymous, founder(first_name="Wile", last_name="Coyote", phone_number="+1 555"))
    mail = letters.one(ADDRESS)
    assert login(anonymous) == 401

    assert verify(anonymous, mail.token) == 200

    admin = signed_in(anonymous)
    me = admin.get("/users/me").get_json()
    expected = {"email": ADDRESS, "first_name": "Wile", "last_name": "Coyote", "phone_number": "+1 555"}
    assert me | expected | {"is_active": True, "is_verified": True} == me
    [company] = admin.get("/companies").get_json()["data"]
    assert (company["name"], company["is_platform"], company["total_active_users"]) == ("Initech", False, 1)
    [role] = admin.get(f"/users/{me['id']}/roles").get_json()["roles"]
    assert role["role"]["code"] == "administrator"
    [unit] = admin.get("/organization_units").get_json()["data"]
    [position] = admin.get("/positions").get_json()["data"]
    assert (unit["name"], position["title"]) == ("default organization", "Administrator")
    assert me["position_id"] == position["id"]


@both_databases
def test_customer_gets_the_customers_role_of_the_company_and_nothing_besides(
    shop: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    register(anonymous, customer_of(shop))
    assert verify(anonymous, letters.one(ADDRESS).token) == 200

    customer = signed_in(anonymous)

    me = customer.get("/users/me").get_json()
    assert me["company_id"] == str(shop.company_id)
    [role] = shop.admin.get(f"/users/{me['id']}/roles").get_json()["roles"]
    assert role["role"]["code"] == "customer"
    assert customer.get("/users").status_code == customer.get("/customers").status_code == 403


def test_mail_is_in_the_chosen_language_and_leads_to_the_public_url(
    app: Flask, anonymous: ApiClient, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    kernel = app.extensions["identity"]
    changed = dataclasses.replace(kernel.settings, public_url="https://id.example.com/app/")
    monkeypatch.setattr(kernel, "settings", changed)

    anonymous.post(PATH, founder(language="fr", first_name="Élise"), headers={"Host": "evil.example"})

    mail = letters.one(ADDRESS)
    assert mail.subject == "Confirmez votre adresse électronique"
    assert "Bonjour Élise," in mail.text
    assert mail.link == "https://id.example.com/app/verify-email"
    assert "evil" not in mail.text + mail.html


PERSONAL = ("wile", "Wile", "5551234", "argon2", "Initech", PASSWORD)


def test_nothing_personal_waits_readable_in_the_database(
    app: Flask, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    register(anonymous, founder(first_name="Wile", phone_number="5551234"))

    [entry] = entries(app, Job.kind == "onboarding.register")
    token = letters.one(ADDRESS).token

    jobs = json.dumps([each.payload for each in (entry, *entries(app, Job.kind == "onboarding.discard"))])
    with everything.connect() as connection:
        [row] = connection.execute(select(Registration.__table__)).all()
    assert len(row.token_hash) == len(row.address_hash) == 32
    assert not any(text in jobs + str(row) for text in (*PERSONAL, token))


@pytest.mark.parametrize("kind", ["company", "customer"])
def test_nothing_comes_into_being_before_the_link_is_followed(
    shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine, kind: str
) -> None:
    before = row_counts(everything)

    register(anonymous, founder() if kind == "company" else customer_of(shop))
    letters.one(ADDRESS)

    after = row_counts(everything)
    assert {name for name in after if after[name] != before[name]} == {"login_failure", "outbox", "registration"}


# Nobody learns whose address is known


@both_databases
def test_known_and_unknown_addresses_take_the_same_statements_and_get_the_same_answer(
    acme: Tenant, anonymous: ApiClient, statements: Any
) -> None:
    sent, answers = [], []

    for email, name in (("fresh@example.com", "One"), (acme.admin.email, "Two")):
        with statements() as each:
            answers.append(register(anonymous, founder(name, email=email)))
        sent.append([statement.partition("WHERE")[0] for statement in each])

    assert answers[0] == answers[1]
    assert sent[0] == sent[1]
    assert len(sent[0]) == 2


def test_sign_in_with_the_password_that_was_registered_does_not_tell_whether_the_address_was_free(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    chosen = "chosen by a stranger"
    refused = []
    for name, email in (("One", "fresh@example.com"), ("Two", acme.admin.email)):
        register(anonymous, founder(name, email=email, password1=chosen, password2=chosen))
        letters.one(email)
        refused.append(anonymous.post("/auth/login", {"email": email, "password": chosen}))

    told = [(answer.status_code, answer.get_json()["error_code"]) for answer in refused]
    assert told == [(401, "INVALID_CREDENTIALS")] * 2


def test_name_of_a_company_that_somebody_wished_for_does_not_tell_whether_the_address_was_free(
    acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    for name, email in (("One", "fresh@example.com"), ("Two", acme.admin.email)):
        register(anonymous, founder(name, email=email))
        letters.one(email)

    answers = [register(anonymous, founder(name, email="probe@example.com")) for name in ("One", "Two")]

    assert answers[0] == answers[1]


def test_owner_of_the_address_is_told_and_nothing_else_happens(
    acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    before = row_counts(everything)

    register(anonymous, founder(email="Admin@ACME.example"))

    mail = letters.one(acme.admin.email)
    assert mail.subject == "You already have an account"
    assert "#token" not in mail.text
    after = row_counts(everything)
    assert {name for name in after if after[name] != before[name]} == {"login_failure"}


def test_unverified_owner_is_told_as_well(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    user = acme.user()

    register(anonymous, founder(email=user.email.upper()))

    assert letters.one(user.email).subject == "You already have an account"


def test_somebody_who_was_invited_keeps_the_invitation(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    acme.admin.create("/users/invitations", {"email": ADDRESS})
    invitation = letters.one(ADDRESS)

    register(anonymous, founder())

    assert letters.one(ADDRESS).subject == "You already have an account"
    accepted = anonymous.post("/auth/accept-invitation", {"token": invitation.token, "password": PASSWORD})
    assert accepted.status_code == 200


# Registrations that wait


@both_databases
def test_registrations_of_one_address_wait_side_by_side_and_the_first_that_is_followed_wins(
    shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    register(anonymous, founder(password1="of the first one", password2="of the first one"))
    first = letters.one(ADDRESS)
    register(anonymous, customer_of(shop, email="Wile@EXAMPLE.com"))
    second = letters.one(ADDRESS)

    assert verify(anonymous, first.token) == 200
    check_conflict(anonymous, second.token, {"email": ["Already in use."]})

    assert login(anonymous) == 401
    assert signed_in(anonymous, "of the first one").get("/users/me").get_json()["email"] == ADDRESS
    assert row_counts(everything)["company"] == 3


def test_registration_that_waits_is_in_the_way_of_nobody(
    acme: Tenant, globex: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    addresses = [f"{name}@example.com" for name in ("invited", "made", "changed", "founding")]
    for address in addresses:
        register(anonymous, founder(f"Of {address}", email=address))
        letters.one(address)
    user = globex.user()

    globex.admin.create("/users/invitations", {"email": addresses[0]})
    globex.admin.create("/users", {"email": addresses[1], "password": PASSWORD})
    change = {"new_email": addresses[2], "current_password": PASSWORD}
    assert user.post("/users/me/email", change).status_code == 202
    acme.admin.create("/companies", {"name": f"Of {addresses[0]}", "admin": {"email": addresses[3]}})

    mails = {letter.to: letter for letter in letters.received()}
    assert set(mails) == {addresses[0], addresses[2], addresses[3], user.email}
    assert anonymous.post("/auth/confirm-email", {"token": mails[addresses[2]].token}).status_code == 200


@both_databases
@pytest.mark.parametrize("kind", ["company", "customer"])
def test_registration_that_is_not_verified_in_time_leaves_nothing(
    app: Flask, shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine, kind: str
) -> None:
    before = row_counts(everything)
    register(anonymous, founder() if kind == "company" else customer_of(shop))
    mail = letters.one(ADDRESS)

    _expire_registrations(everything)
    assert verify(anonymous, mail.token) == 400
    make_due(app, Job.kind == "onboarding.discard")

    assert letters.received() == []
    after = row_counts(everything)
    assert {name for name in after if after[name] != before[name]} == {"login_failure"}
    register(anonymous, founder())
    assert letters.one(ADDRESS)


def _expire_registrations(everything: Engine) -> None:
    with everything.begin() as connection:
        connection.execute(update(Registration).values(expires_at=utcnow() - timedelta(seconds=1)))


@both_databases
def test_registration_whose_time_was_prolonged_stays(app: Flask, anonymous: ApiClient, letters: Letters) -> None:
    register(anonymous, founder())
    mail = letters.one(ADDRESS)

    make_due(app, Job.kind == "onboarding.discard")

    assert letters.received() == []
    assert verify(anonymous, mail.token) == 200


@both_databases
def test_link_creates_once(anonymous: ApiClient, letters: Letters, everything: Engine) -> None:
    register(anonymous, founder())
    token = letters.one(ADDRESS).token
    assert verify(anonymous, token) == 200
    counts = row_counts(everything)

    answer = anonymous.post("/auth/verify-email", {"token": token})

    assert (answer.status_code, answer.get_json()["error_code"]) == (400, "INVALID_LINK")
    assert row_counts(everything) == counts
    assert counts["registration"] == 0


def test_mail_that_is_sent_again_kills_the_link_of_the_one_before(
    app: Flask, anonymous: ApiClient, letters: Letters
) -> None:
    register(anonymous, founder())
    with app.app_context():
        handlers, job = app.extensions["identity"].jobs, outbox.claim()
        assert job is not None
        handlers[job.kind](job)
        mail = outbox.claim()
        assert mail is not None
        former, latter = ((handlers[mail.kind](mail), letters.one(ADDRESS).token)[1] for _ in range(2))

    assert verify(anonymous, former) == 400
    assert verify(anonymous, latter) == 200


def test_registration_that_was_sealed_with_another_key_is_of_no_use(
    app: Flask, anonymous: ApiClient, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(anonymous, founder())
    token = letters.one(ADDRESS).token
    kernel = app.extensions["identity"]
    monkeypatch.setattr(kernel, "settings", dataclasses.replace(kernel.settings, secret_key="another " * 8))

    assert verify(anonymous, token) == 400


# What goes wrong between the request and the link


def check_conflict(anonymous: ApiClient, token: str, errors: Json) -> None:
    answer = anonymous.post("/auth/verify-email", {"token": token})
    assert answer.status_code == 409
    assert answer.get_json()["errors"] == errors


@both_databases
def test_name_that_was_taken_meanwhile_is_told_to_who_has_the_link_and_the_link_stays(
    acme: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    register(anonymous, founder("Initech"))
    token = letters.one(ADDRESS).token
    company = acme.admin.create("/companies", {"name": "INITECH"})
    counts = row_counts(everything)

    for _ in range(2):
        check_conflict(anonymous, token, {"company": {"name": ["Already in use."]}})

    assert row_counts(everything) == counts
    assert acme.admin.patch(f"/companies/{company['id']}", {"name": "Other"}).status_code == 200
    assert verify(anonymous, token) == 200


@both_databases
@pytest.mark.parametrize("kind", ["company", "customer"])
def test_address_that_was_taken_meanwhile_is_told_to_who_has_the_link(
    shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine, kind: str
) -> None:
    register(anonymous, founder() if kind == "company" else customer_of(shop))
    token = letters.one(ADDRESS).token
    shop.admin.create("/users", {"email": ADDRESS.upper(), "password": PASSWORD})
    counts = row_counts(everything)

    check_conflict(anonymous, token, {"email": ["Already in use."]})

    assert row_counts(everything) == counts


@pytest.mark.parametrize("values", [{"customer_registration": "closed"}, {"status": "suspended"}])
def test_company_that_closed_meanwhile_takes_nobody(
    acme: Tenant, shop: Tenant, anonymous: ApiClient, letters: Letters, everything: Engine, values: Json
) -> None:
    register(anonymous, customer_of(shop))
    token = letters.one(ADDRESS).token
    acme.admin.patch(f"/companies/{shop.company_id}", values)
    counts = row_counts(everything)

    answer = anonymous.post("/auth/verify-email", {"token": token})

    assert (answer.status_code, answer.get_json()["error_code"]) == (403, "REGISTRATION_CLOSED")
    assert row_counts(everything) == counts


def test_nobody_founds_a_company_by_a_link_once_registration_is_closed(
    app: Flask, anonymous: ApiClient, letters: Letters, monkeypatch: pytest.MonkeyPatch
) -> None:
    register(anonymous, founder())
    token = letters.one(ADDRESS).token
    kernel = app.extensions["identity"]
    monkeypatch.setattr(kernel, "settings", dataclasses.replace(kernel.settings, registration="closed"))

    assert verify(anonymous, token) == 403


@both_databases
def test_registration_for_a_company_that_was_deleted_is_refused(
    acme: Tenant, shop: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    register(anonymous, customer_of(shop))
    token = letters.one(ADDRESS).token
    company = f"/companies/{shop.company_id}"
    assert acme.admin.patch(company, {"status": "inactive"}).status_code == 200
    assert acme.admin.delete(f"{company}?cascade=true").status_code == 204

    assert verify(anonymous, token) == 403


@both_databases
def test_job_that_is_worked_off_twice_leaves_one_registration_and_one_working_link(
    app: Flask, anonymous: ApiClient, letters: Letters, everything: Engine
) -> None:
    register(anonymous, founder())
    handler = app.extensions["identity"].jobs["onboarding.register"]
    with app.app_context():
        job = outbox.claim()
        assert job is not None
        handler(job)
        counts = row_counts(everything)
        with pytest.raises(LeaseLost):
            handler(job)

    assert row_counts(everything) == counts
    assert verify(anonymous, letters.one(ADDRESS).token) == 200
    assert login(anonymous) == 200


def test_owner_is_told_once_by_a_job_that_is_worked_off_twice(
    app: Flask, acme: Tenant, anonymous: ApiClient, letters: Letters
) -> None:
    register(anonymous, founder(email=acme.admin.email))
    handler = app.extensions["identity"].jobs["onboarding.register"]
    with app.app_context():
        job = outbox.claim()
        assert job is not None
        handler(job)
        with pytest.raises(LeaseLost):
            handler(job)

    assert letters.one(acme.admin.email)


def test_one_network_cannot_fill_the_mailbox_of_a_stranger(anonymous: ApiClient, letters: Letters) -> None:
    for number in range(7):
        register(anonymous, founder(f"Initech {number}"))

    assert len(letters.received()) <= 5

    elsewhere = {"environ_base": {"REMOTE_ADDR": "203.0.113.9"}}
    assert anonymous.post(PATH, founder("Elsewhere"), **elsewhere).status_code == 202
    assert verify(anonymous, letters.one(ADDRESS).token) == 200


def test_a_registration_sealed_before_addresses_had_a_labels_becomes_an_account_that_is_found(
    app: Flask, anonymous: ApiClient, letters: Letters
) -> None:
    with app.app_context():
        request_registration(founder(email="eva@münchen.example"), None)

    assert verify(anonymous, letters.to("eva@xn--mnchen-3ya.example").token) == 200

    body = {"email": "eva@münchen.example", "password": PASSWORD}
    assert anonymous.post("/auth/login", body).status_code == 200
