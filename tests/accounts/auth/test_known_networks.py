"""The networks from which an account signed in during the last 90 days."""

from datetime import timedelta
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import update

from app.accounts.auth.models import REUSE, AuthSession
from app.accounts.auth.networks import client_network, is_known_network
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from tests.accounts.auth.browser import execute, now, signed_in
from tests.support.clients import ApiClient, Tenant

HOME = "198.51.100.7"


def is_known(app: Flask, person: ApiClient, address: str) -> bool:
    with app.app_context(), tenant(UUID(person.company_id)), unit_of_work(writes=False):
        return is_known_network(UUID(person.user_id), client_network(address))


@pytest.mark.parametrize(
    ("address", "neighbour", "stranger"),
    [
        (HOME, "198.51.100.250", "198.51.101.7"),
        ("2001:db8:0:1::7", "2001:db8:0:1:ffff::9", "2001:db8:0:2::7"),
        ("::ffff:198.51.100.7", "198.51.100.9", "203.0.113.9"),
    ],
)
def test_the_network_of_a_sign_in_is_known_afterwards(
    app: Flask, person: ApiClient, address: str, neighbour: str, stranger: str
) -> None:
    assert not is_known(app, person, neighbour)

    signed_in(app, person, address=address)

    assert is_known(app, person, address)
    assert is_known(app, person, neighbour)
    assert not is_known(app, person, stranger)


def test_a_network_is_known_for_90_days_whether_or_not_the_session_lives(
    app: Flask, acme: Tenant, person: ApiClient
) -> None:
    signed_in(app, person, address=HOME).post("/auth/logout")
    known = []

    for days in (89, 91):
        past = now() - timedelta(days=days)
        execute(app, acme, update(AuthSession).values(created_at=past, last_used_at=past, expires_at=past))
        known.append(is_known(app, person, HOME))

    assert known == [True, False]


def test_the_network_of_one_user_is_not_known_for_another(app: Flask, acme: Tenant, person: ApiClient) -> None:
    signed_in(app, acme.user(), address=HOME)

    assert not is_known(app, person, HOME)


def test_a_network_is_known_no_longer_when_its_only_session_was_stolen(
    app: Flask, acme: Tenant, person: ApiClient
) -> None:
    signed_in(app, person, address=HOME)
    execute(
        app, acme, update(AuthSession).where(AuthSession.network == client_network(HOME)).values(revoked_reason=REUSE)
    )
    known = [is_known(app, person, HOME)]

    signed_in(app, person, address=HOME)
    known.append(is_known(app, person, HOME))

    assert known == [False, True]
