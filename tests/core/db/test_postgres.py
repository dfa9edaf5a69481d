"""A connection's prepared statements: lost, stale or another's, they are prepared again, and no name is in a text."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from uuid import UUID

import psycopg
import pytest
from flask import Flask
from sqlalchemy import bindparam, select

from app.accounts.auth.service import find_account
from app.core.db.models import db
from app.core.db.tenancy import TenantQuery, tenant
from app.core.db.transaction import read, read_in_own_transaction, unit_of_work
from app.customers.models import Customer
from tests.support.clients import Tenant
from tests.support.databases import Postgres, worker
from tests.support.marks import only_postgresql

pytestmark = only_postgresql
NAMES = TenantQuery(
    select(Customer.name).where(Customer.id == bindparam("customer_id")).execution_options(single_statement=True)
)


@pytest.fixture
def wile(acme: Tenant) -> UUID:
    return UUID(acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})["id"])


@pytest.fixture
def one_connection(app: Flask) -> Iterator[None]:
    """What a test spoils is what the next statement meets: the pool holds no other connection."""
    db.engine.dispose()
    yield
    db.engine.dispose()


def on_pooled_connection(statement: str) -> None:
    with db.engine.connect() as connection:
        connection.connection.dbapi_connection.execute(statement.encode())  # type: ignore[union-attr]


def backend() -> int:
    with db.engine.connect() as connection:
        return int(connection.connection.dbapi_connection.info.backend_pid)  # type: ignore[union-attr]


@contextmanager
def texts_sent(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """The text of each message to the server, without the values that are bound."""
    sent: list[str] = []
    execute = psycopg.Cursor.execute

    def note(self: Any, query: Any, params: Any = None, **options: Any) -> Any:
        sent.append(query.decode() if isinstance(query, bytes) else str(query))
        return execute(self, query, params, **options)

    with monkeypatch.context() as patch:
        patch.setattr(psycopg.Cursor, "execute", note)
        yield sent


def name_of(company_id: UUID, customer_id: UUID) -> str:
    with tenant(company_id):
        return str(read_in_own_transaction(NAMES, {"customer_id": customer_id})[0].name)


@pytest.mark.usefixtures("one_connection")
@pytest.mark.parametrize("spoiled_by", ["DEALLOCATE ALL", "DISCARD ALL"])
def test_a_read_whose_statement_the_connection_has_lost_is_answered(acme: Tenant, wile: UUID, spoiled_by: str) -> None:
    company_id = acme.company_id
    before = name_of(company_id, wile), backend()

    on_pooled_connection(spoiled_by)

    assert (name_of(company_id, wile), backend()) == before


@pytest.mark.usefixtures("one_connection")
def test_a_request_on_a_connection_that_lost_its_statements_is_answered(acme: Tenant, wile: UUID) -> None:
    assert acme.admin.get(f"/customers/{wile}").status_code == 200

    on_pooled_connection("DISCARD ALL")

    assert acme.admin.get(f"/customers/{wile}").status_code == 200


@pytest.mark.usefixtures("one_connection")
def test_a_read_whose_result_has_another_type_since_is_answered(acme: Tenant, wile: UUID, postgres: Postgres) -> None:
    company_id = acme.company_id
    alter = "ALTER TABLE customer ALTER COLUMN name TYPE varchar({})"
    assert name_of(company_id, wile) == "Wile"

    with postgres.superuser(f"identity_{worker()}") as connection:
        connection.execute(alter.format(201))
        try:
            assert name_of(company_id, wile) == "Wile"
        finally:
            connection.execute(alter.format(200))

    assert name_of(company_id, wile) == "Wile"


@pytest.mark.usefixtures("one_connection")
def test_a_statement_that_the_connection_has_already_is_used(
    acme: Tenant, wile: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    company_id = acme.company_id
    assert name_of(company_id, wile) == "Wile"
    with db.engine.connect() as connection:
        connection.connection.dbapi_connection.transaction_state.prepared.clear()  # type: ignore[union-attr]

    assert name_of(company_id, wile) == "Wile"

    with texts_sent(monkeypatch) as sent:
        assert name_of(company_id, wile) == "Wile"
    assert not any("PREPARE" in text for text in sent)


@pytest.mark.usefixtures("one_connection")
def test_a_writing_transaction_begins_again_when_its_first_statement_is_lost(acme: Tenant, wile: UUID) -> None:
    company_id = acme.company_id
    with tenant(company_id), unit_of_work():
        read(NAMES, {"customer_id": wile})
    on_pooled_connection("DEALLOCATE ALL")

    with tenant(company_id), unit_of_work() as session:
        assert read(NAMES, {"customer_id": wile})[0].name == "Wile"
        session.scalars(select(Customer).where(Customer.id == wile)).one().name = "Coyote"

    assert name_of(company_id, wile) == "Coyote"


@pytest.mark.usefixtures("one_connection")
def test_a_statement_that_fails_for_another_reason_is_not_sent_twice(
    acme: Tenant, wile: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    divided = TenantQuery(
        select(Customer.row_version / bindparam("by", type_=Customer.row_version.type))
        .where(Customer.id == wile)
        .execution_options(single_statement=True)
    )

    with texts_sent(monkeypatch) as sent, tenant(acme.company_id), pytest.raises(Exception, match="division"):
        read_in_own_transaction(divided, {"by": 0})

    assert sum("EXECUTE" in text for text in sent) == 1


def test_one_statement_has_one_name_on_every_connection(acme: Tenant, wile: UUID) -> None:
    names = set()
    for _ in range(2):
        db.engine.dispose()
        name_of(acme.company_id, wile)
        with db.engine.connect() as connection:
            names.add(frozenset(connection.connection.dbapi_connection.transaction_state.prepared))  # type: ignore[union-attr]

    [[name]] = names
    assert name.startswith(b"s_")


@pytest.mark.parametrize(("name", "identifier"), [("email", "admin@acme.example"), ("username", "nobody-o'connor")])
def test_a_sign_in_name_is_in_no_text_that_the_server_logs(
    acme: Tenant, monkeypatch: pytest.MonkeyPatch, name: str, identifier: str
) -> None:
    with texts_sent(monkeypatch) as sent:
        find_account(name, identifier)

    assert len(sent) >= 2
    assert not any(identifier in text or identifier.replace("'", "''") in text for text in sent)


def test_what_a_request_inlines_is_no_free_text(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    acme.admin.create("/customers", {"name": "Kestrow", "email": "sales@kestrow.example"})

    with texts_sent(monkeypatch) as sent:
        assert acme.admin.get("/customers?search=kestrow&sort=name").status_code == 200
        assert acme.admin.get("/customers?email=sales@kestrow.example").status_code == 200
        assert acme.admin.get("/customers").status_code == 200

    assert any("EXECUTE" in text for text in sent)
    assert not any("kestrow" in text.lower() for text in sent)


def test_reads_of_a_whole_transaction_travel_in_one_message(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = acme.admin.create("/customers", {"name": "Kestrow"})
    paths = ("/customers", f"/customers/{customer['id']}")
    for path in paths:
        acme.admin.get(path)

    with texts_sent(monkeypatch) as sent:
        answers = [acme.admin.get(path) for path in paths]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert [text for text in sent if "; EXECUTE" not in text or not text.endswith("COMMIT")] == []
