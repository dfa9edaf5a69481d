"""Connections that stall, are lost or are all in use: bounded waiting, one repetition of a read, and fair shares."""

from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text

from app.core.db import postgres as driver
from app.core.db.mode import statement_timeout
from app.core.db.transaction import company_transaction
from app.customers.models import Customer
from app.users.models import User
from tests.core.conftest import Logged
from tests.fakes.database_link import DatabaseLink
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import only_postgresql

UNGUARDED = {"unguarded": "a test"}
SHORT = 0.2


@pytest.fixture
def link(database_url: str) -> Iterator[DatabaseLink]:
    with DatabaseLink(database_url) as found:
        yield found


@pytest.fixture
def linked(link: DatabaseLink, logged: Logged) -> Flask:
    return logged.app(DATABASE_URL=link.url)


@pytest.fixture
def admin(linked: Flask, acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> ApiClient:
    """Acme's administrator by way of the link, on one connection that no ping tries before the request does."""
    monkeypatch.setattr(driver, "IDLE_SECONDS", 1000.0)
    found = ApiClient(linked, acme.admin.token)
    assert found.get("/customers").status_code == 200
    return found


def told(answer: Any) -> tuple[int, str]:
    assert answer.headers["Retry-After"]
    return answer.status_code, answer.get_json()["error_code"]


def names(client: ApiClient) -> list[str]:
    return [row["name"] for row in client.get("/customers?limit=100").get_json()["data"]]


# Deadlines


@only_postgresql
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_connection_that_stalls_ends_by_itself(
    admin: ApiClient, link: DatabaseLink, logged: Logged, method: str
) -> None:
    connections = link.connections
    link.stall()

    with statement_timeout(SHORT):
        answer = admin.request(method, "/customers", json={"name": "Never"} if method == "POST" else None)

    link.resume()
    assert told(answer) == (503, "DATABASE_TIMEOUT")
    assert (len(logged.events("database_timeout")), logged.events("database_unavailable")) == (1, [])
    assert link.connections == connections
    assert names(admin) == []
    assert link.connections == connections + 1


@only_postgresql
def test_a_ping_that_stalls_ends_the_idle_connections(
    admin: ApiClient, link: DatabaseLink, monkeypatch: pytest.MonkeyPatch
) -> None:
    connections = link.connections
    monkeypatch.setattr(driver, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(driver, "PING_SECONDS", SHORT)
    link.stall()

    answer = admin.get("/customers")

    link.resume()
    assert told(answer) == (503, "DATABASE_UNAVAILABLE")
    assert link.connections == connections + 1
    assert admin.get("/customers").status_code == 200


@only_postgresql
def test_the_client_waits_a_second_longer_than_the_server(app: Flask) -> None:
    assert (driver.STATEMENT_SECONDS, driver.GRACE_SECONDS) == (5.0, 1.0)


@only_postgresql
def test_a_statement_timeout_holds_for_the_transactions_that_begin_inside(acme: Tenant) -> None:
    def shown() -> str:
        with company_transaction(acme.company_id) as session:
            return str(session.scalar(text("SHOW statement_timeout"), execution_options=UNGUARDED))

    with statement_timeout(60):
        longer = shown()
    with statement_timeout(None):
        none = shown()

    assert (longer, none, shown()) == ("1min", "0", "5s")


@only_postgresql
def test_a_statement_that_the_server_ends_is_a_timeout_and_the_connection_stays(
    logged: Logged, link: DatabaseLink, acme: Tenant, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(driver, "GRACE_SECONDS", 30.0)
    service = logged.app(DATABASE_URL=link.url)
    service.add_url_rule("/sleep", "sleep", lambda: sleep(acme.company_id))
    admin = ApiClient(service, acme.admin.token)
    assert admin.get("/customers").status_code == 200
    connections = link.connections

    with statement_timeout(SHORT):
        answer = service.test_client().get("/sleep")

    assert told(answer) == (503, "DATABASE_TIMEOUT")
    assert admin.get("/customers").status_code == 200
    assert link.connections == connections


def sleep(company_id: UUID) -> Any:
    with company_transaction(company_id, writes=False) as session:
        return session.scalar(text("SELECT pg_sleep(30)"), execution_options=UNGUARDED)


# Lost connections


@only_postgresql
@pytest.mark.parametrize("cut", ["cut_request", "cut_answer"])
@pytest.mark.parametrize("path", ["/customers?limit=1", "/customers?search=wile", "/users/me", "/auth/verify"])
def test_a_read_whose_connection_is_lost_is_answered(
    admin: ApiClient, link: DatabaseLink, wile: UUID, path: str, cut: str
) -> None:
    expected = admin.get(path).get_json()
    messages = 0

    while True:
        getattr(link, cut)(messages)
        answer = admin.get(path)
        assert answer.status_code == 200, (messages, answer.text)
        assert answer.get_json().get("data") == expected.get("data")
        if not link.has_cut:
            break
        messages += 1

    assert messages


@only_postgresql
def test_an_entity_is_read_again_on_another_connection(
    admin: ApiClient, linked: Flask, link: DatabaseLink, acme: Tenant, wile: UUID
) -> None:
    with linked.app_context(), company_transaction(acme.company_id, writes=False) as session:
        user = session.scalars(select(User)).first()
        link.cut_answer()
        customer = session.scalars(select(Customer)).one()
        email = user.email  # type: ignore[union-attr]

    assert link.has_cut
    assert (customer.id, email) == (wile, acme.admin.email)


@only_postgresql
def test_a_read_is_repeated_once(admin: ApiClient, link: DatabaseLink, monkeypatch: pytest.MonkeyPatch) -> None:
    original, sent = driver.BoundedConnection.wait, []

    def lose(connection: Any, *arguments: Any, **options: Any) -> Any:
        sent.append(connection)
        link.cut_request()
        return original(connection, *arguments, **options)

    monkeypatch.setattr(driver.BoundedConnection, "wait", lose)
    answer = admin.get("/customers")

    assert told(answer) == (503, "DATABASE_UNAVAILABLE")
    assert len(sent) == len(set(sent)) == 2


@only_postgresql
def test_what_writes_is_sent_once(admin: ApiClient, link: DatabaseLink) -> None:
    answers: dict[str, int] = {}

    for cut in (link.cut_request, link.cut_answer):
        for after in range(12):
            name = f"{cut.__name__} {after}"
            cut(after)
            answer = admin.post("/customers", {"name": name})
            answers[name] = answer.status_code
            assert answer.status_code == 201 or told(answer) == (503, "DATABASE_UNAVAILABLE")
    link.cut_request(1000)

    found = names(admin)
    assert set(answers.values()) == {201, 503}
    assert len(found) == len(set(found))
    assert {name for name, status in answers.items() if status == 201} <= set(found)
