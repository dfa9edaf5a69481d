"""Connections that stall, are lost or are all in use: bounded waiting, one repetition of a read, and fair shares."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from threading import Barrier, Event, Thread
from typing import Any
from uuid import UUID

import pytest
from flask import Flask
from sqlalchemy import select, text
from sqlalchemy.exc import OperationalError

from app.accounts.auth.service import NOBODY
from app.core.db import postgres as driver
from app.core.db.mode import statement_timeout
from app.core.db.models import db
from app.core.db.transaction import company_transaction, platform_session, unit_of_work
from app.customers.models import Customer
from app.users.models import User
from tests.core.conftest import Logged
from tests.fakes.database_link import DatabaseLink
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import only_postgresql
from tests.support.variants import Variant

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
def test_what_was_read_before_the_loss_stays_readable(
    admin: ApiClient, linked: Flask, link: DatabaseLink, acme: Tenant, wile: UUID
) -> None:
    with linked.app_context(), company_transaction(acme.company_id, writes=False) as session:
        user = session.scalars(select(User)).first()
        link.cut_answer()
        customer = session.scalars(select(Customer)).one()

    assert user is not None
    assert link.has_cut
    assert (customer.id, user.email) == (wile, acme.admin.email)


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
def test_no_statement_of_a_transaction_that_writes_is_repeated(
    admin: ApiClient, linked: Flask, link: DatabaseLink, acme: Tenant, wile: UUID
) -> None:
    def rename() -> None:
        with company_transaction(acme.company_id) as session:
            session.scalars(select(Customer)).one().name = "Coyote"
            session.flush()
            link.cut_request()
            session.scalars(select(Customer)).all()

    with linked.app_context(), pytest.raises(OperationalError):
        rename()

    assert names(admin) == ["Wile"]


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


# Shares of the pool


def with_pool(make: Variant, *, size: int, seconds: float) -> Flask:
    """An application that waits so long for a connection."""
    service = make(DATABASE_POOL_SIZE=str(size))
    with service.app_context():
        vars(db.engine.pool)["_timeout"] = seconds
    return service


@contextmanager
def connection_of(app: Flask, company_id: UUID) -> Iterator[None]:
    """Another thread has one of the company's connections."""
    taken, done = Event(), Event()

    def hold() -> None:
        with app.app_context(), company_transaction(company_id, writes=False) as session:
            session.scalars(select(Customer.id)).all()
            taken.set()
            done.wait()

    thread = Thread(target=hold)
    thread.start()
    try:
        assert taken.wait(30)
        yield
    finally:
        done.set()
        thread.join()


def test_one_company_has_at_most_half_of_the_pool(logged: Logged, acme: Tenant, globex: Tenant) -> None:
    service = with_pool(logged.app, size=4, seconds=0.2)
    [own, other] = (ApiClient(service, each.admin.token) for each in (acme, globex))

    with connection_of(service, acme.company_id), connection_of(service, acme.company_id):
        refused = told(own.get("/customers"))
        with connection_of(service, globex.company_id):
            served = other.get("/customers").status_code
    after = own.get("/customers").status_code

    assert (refused, served, after) == ((503, "DATABASE_BUSY"), 200, 200)
    assert [line["reason"] for line in logged.events("database_busy")] == ["ShareInUse"]


def test_a_lost_or_refused_connection_leaves_the_share_whole(variant: Variant, acme: Tenant) -> None:
    service = variant(DATABASE_POOL_SIZE="2")

    with service.app_context():
        for _ in range(3):
            with pytest.raises(Exception, match="no_such"), company_transaction(acme.company_id) as session:
                session.execute(text("SELECT no_such"), execution_options=UNGUARDED)
            with company_transaction(acme.company_id, writes=False) as session:
                session.connection().invalidate()
        with company_transaction(acme.company_id) as session:
            assert session.scalars(select(Customer.id)).all() == []


def test_nobodys_and_the_platforms_transactions_need_no_share(variant: Variant, acme: Tenant) -> None:
    service = variant(DATABASE_POOL_SIZE="4")

    with ExitStack() as stack:
        for _ in range(2):
            stack.enter_context(connection_of(service, acme.company_id))
        with service.app_context(), platform_session() as session:
            assert session.scalar(text("SELECT 1"), execution_options=UNGUARDED) == 1
        with service.app_context(), unit_of_work(writes=False) as session:
            assert session.scalar(text("SELECT 1"), execution_options=UNGUARDED) == 1


def test_names_of_nobody_have_no_share_in_common(variant: Variant) -> None:
    service = with_pool(variant, size=2, seconds=0.2)

    with connection_of(service, NOBODY), service.app_context(), company_transaction(NOBODY, writes=False) as session:
        assert session.scalars(select(Customer.id)).all() == []


def test_many_threads_of_one_company_never_have_more_than_its_share(variant: Variant, acme: Tenant) -> None:
    service, threads = with_pool(variant, size=6, seconds=30), 12
    barrier, most, errors = Barrier(threads), 0, list[Exception]()

    def run() -> None:
        nonlocal most
        barrier.wait()
        try:
            for _ in range(20):
                with service.app_context(), company_transaction(acme.company_id, writes=False) as session:
                    session.scalars(select(Customer.id)).all()
                    most = max(most, db.engine.pool.checkedout())  # type: ignore[attr-defined]
        except Exception as error:
            errors.append(error)

    running = [Thread(target=run) for _ in range(threads)]
    for each in running:
        each.start()
    for each in running:
        each.join()

    assert errors == []
    assert most <= 3


def test_a_process_is_ready_while_requests_have_every_connection(variant: Variant, acme: Tenant) -> None:
    service = variant(DATABASE_POOL_SIZE="1")

    with connection_of(service, acme.company_id):
        answer = service.test_client().get("/health/ready")

    assert answer.status_code == 200
