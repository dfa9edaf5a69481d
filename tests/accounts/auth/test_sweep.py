"""Nothing piles up: tokens of ended sessions, sessions that nobody used for 90 days, and old counters."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
import structlog
from flask import Flask
from sqlalchemy import Engine, func, select, update
from structlog.testing import capture_logs

from app.accounts.auth import sweep
from app.accounts.auth.models import AccountFailure, AuthSession, LoginFailure, RefreshToken
from app.accounts.auth.networks import is_known_network
from app.core.db.models import Model, db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs.outbox import enqueue
from app.core.jobs.worker import Worker
from tests.accounts.auth.browser import Browser, current_session, execute, now, session_row, signed_in
from tests.support.clients import ApiClient, Tenant
from tests.support.everything import everything
from tests.support.variants import Variant

__all__ = ["everything"]

AWAY = "198.51.100.7"


def run_sweep(app: Flask) -> int:
    """Returns the number of executed jobs."""
    with app.app_context(), unit_of_work():
        enqueue(sweep.REST, {})
    return Worker(app).drain()


def tokens(everything: Engine, session: str) -> int:
    table: Any = Model.metadata.tables[RefreshToken.__tablename__]
    with everything.connect() as connection:
        mine = select(func.count()).select_from(table).where(table.c.session_id == UUID(session))
        return connection.scalar(mine) or 0


def sessions(everything: Engine, *ids: str) -> int:
    table: Any = Model.metadata.tables[AuthSession.__tablename__]
    with everything.connect() as connection:
        mine = select(func.count()).select_from(table).where(table.c.id.in_([UUID(id) for id in ids]))
        return connection.scalar(mine) or 0


def move(app: Flask, company: Tenant, session: str, **values: Any) -> None:
    execute(app, company, update(AuthSession).where(AuthSession.id == UUID(session)).values(**values))


def count_rows(app: Flask) -> tuple[int, int]:
    with app.app_context(), unit_of_work(writes=False):
        network, account = (len(db.session.scalars(select(each)).all()) for each in (LoginFailure, AccountFailure))
    return network, account


def age_counters(app: Flask, age: timedelta) -> None:
    with app.app_context(), unit_of_work():
        for model in (LoginFailure, AccountFailure):
            statement = update(model).values(last_attempt_at=now() - age)
            db.session.execute(statement, execution_options={"synchronize_session": False})


def test_a_signed_out_session_loses_its_tokens_and_keeps_its_network(
    app: Flask, acme: Tenant, person: ApiClient, everything: Engine
) -> None:
    browser = signed_in(app, person, address=AWAY)
    session = current_session(browser)["id"]
    browser.post("/auth/refresh")
    browser.post("/auth/logout")

    run_sweep(app)

    assert tokens(everything, session) == 0
    assert session_row(app, acme, session).revoked_reason == "logout"
    with app.app_context(), tenant(acme.company_id), unit_of_work(writes=False):
        assert is_known_network(UUID(person.user_id), "198.51.100.0/24")


def test_a_live_session_keeps_its_tokens_and_finds_a_theft(
    app: Flask, acme: Tenant, browser: Browser, everything: Engine
) -> None:
    session, first = current_session(browser)["id"], browser.cookie("refresh_token")
    browser.post("/auth/refresh")
    browser.post("/auth/refresh")

    run_sweep(app)

    assert tokens(everything, session) == 3
    thief = Browser(app)
    assert thief.post("/auth/refresh", {"refresh_token": first}).get_json()["error_code"] == "TOKEN_REUSED"


def test_sessions_of_leavers_go_although_nobody_signs_in_again(
    app: Flask, acme: Tenant, person: ApiClient, everything: Engine
) -> None:
    session = current_session(person)["id"]
    acme.admin.patch(f"/users/{person.user_id}", {"is_active": False})
    run_sweep(app)
    kept = sessions(everything, session), tokens(everything, session)

    move(app, acme, session, last_used_at=now() - timedelta(days=91))
    run_sweep(app)

    assert kept == (1, 0)
    assert sessions(everything, session) == 0


@pytest.mark.parametrize(("days", "left"), [(89, 1), (91, 0)])
def test_an_expired_session_goes_90_days_after_its_last_use(
    app: Flask, acme: Tenant, person: ApiClient, everything: Engine, days: int, left: int
) -> None:
    session, past = current_session(person)["id"], now() - timedelta(days=days)
    move(app, acme, session, created_at=past, last_used_at=past, expires_at=past + timedelta(days=7))

    run_sweep(app)

    assert (sessions(everything, session), tokens(everything, session)) == (left, 0)


def test_a_live_session_stays_however_long_it_was_not_used(
    app: Flask, acme: Tenant, person: ApiClient, everything: Engine
) -> None:
    session = current_session(person)["id"]
    move(app, acme, session, last_used_at=now() - timedelta(days=200))

    run_sweep(app)

    assert (sessions(everything, session), tokens(everything, session)) == (1, 1)
    assert person.get("/users/me").status_code == 200


@pytest.fixture
def talkative(variant: Variant) -> Iterator[Flask]:
    before = structlog.get_config()
    yield variant(LOG_LEVEL="INFO")
    structlog.configure(**before)


def test_an_expired_session_is_logged_once(talkative: Flask, acme: Tenant, person: ApiClient) -> None:
    session = current_session(person)["id"]
    end = now() - timedelta(hours=3)
    move(talkative, acme, session, expires_at=end)

    with capture_logs() as lines:
        run_sweep(talkative)
        run_sweep(talkative)

    ended = [(str(line["session_id"]), line["reason"]) for line in lines if line["event"] == "session_ended"]
    assert ended == [(session, "expired")]
    row = session_row(talkative, acme, session)
    assert (row.revoked_at, row.revoked_reason) == (end, "expired")


def test_every_company_is_swept_in_small_steps(
    app: Flask, acme: Tenant, globex: Tenant, everything: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [company.user() for company in (acme, globex) for _ in range(3)]
    ended = [current_session(person)["id"] for person in people]
    for person in people:
        signed_in(app, person).post("/auth/refresh")
        person.post("/auth/logout")
    for name, value in {"SESSIONS": 2, "ROWS": 1, "MAX_SECONDS": 0.0}.items():
        monkeypatch.setattr(sweep, name, value)

    jobs = run_sweep(app)

    assert [tokens(everything, session) for session in ended] == [0] * 6
    assert jobs > 2


def test_old_counters_go(app: Flask, person: ApiClient) -> None:
    left = []
    for email in (person.email, "nobody@example.com"):
        Browser(app).log_in(email, "wrong password")

    for age in (timedelta(hours=23), timedelta(hours=25), timedelta(days=89), timedelta(days=91)):
        age_counters(app, age)
        run_sweep(app)
        left.append(count_rows(app))

    assert left == [(2, 2), (0, 2), (0, 2), (0, 0)]
