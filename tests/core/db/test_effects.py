"""What is promised for after the commit: it comes after the commit, or not at all."""

from collections.abc import Callable

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.core.db.tenancy import current_scope, tenant
from app.core.db.transaction import after_commit, unit_of_work
from app.customers.models import Customer
from tests.core.conftest import Logged
from tests.support.clients import Tenant

Seen = list[str]


@pytest.fixture
def seen() -> Seen:
    return []


def noting(seen: Seen, what: str) -> Callable[[], None]:
    return lambda: seen.append(what)


def test_effects_run_once_in_order_after_the_commit(acme: Tenant, seen: Seen) -> None:
    def look() -> None:
        with tenant(acme.company_id), unit_of_work(writes=False) as session:
            seen.append(f"{session.scalar(select(func.count()).select_from(Customer))} committed")

    with tenant(acme.company_id), unit_of_work() as session:
        after_commit(look)
        session.add(Customer(name="Wile"))
        after_commit(noting(seen, "second"))
        assert seen == []

    assert seen == ["1 committed", "second"]
    with tenant(acme.company_id), unit_of_work():
        pass
    assert seen == ["1 committed", "second"]


def test_effects_of_a_rolled_back_unit_of_work_are_forgotten(acme: Tenant, seen: Seen) -> None:
    with pytest.raises(LookupError), tenant(acme.company_id), unit_of_work():
        _promise_and_fail(seen)
    with tenant(acme.company_id), unit_of_work():
        after_commit(noting(seen, "second"))

    assert seen == ["second"]


def _promise_and_fail(seen: Seen) -> None:
    after_commit(noting(seen, "first"))
    raise LookupError


def test_effects_of_a_commit_that_fails_are_forgotten(acme: Tenant, seen: Seen) -> None:
    acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})

    with pytest.raises(IntegrityError), tenant(acme.company_id), unit_of_work() as session:
        _promise_and_add(seen, session)

    assert seen == []


def _promise_and_add(seen: Seen, session: Session) -> None:
    after_commit(noting(seen, "first"))
    session.add(Customer(name="Wile", email="wile@example.com"))


def test_a_unit_of_work_that_only_reads_has_no_effects_also_not_later(acme: Tenant, seen: Seen) -> None:
    with tenant(acme.company_id), unit_of_work(writes=False):
        after_commit(noting(seen, "first"))
    with tenant(acme.company_id), unit_of_work():
        pass

    assert seen == []


def test_an_effect_that_fails_stops_no_other_and_is_logged(logged: Logged, acme: Tenant, seen: Seen) -> None:
    app = logged.app()

    def fail() -> None:
        raise RuntimeError("the mail server is away")

    with app.app_context(), tenant(acme.company_id), unit_of_work():
        after_commit(fail)
        after_commit(noting(seen, "second"))

    assert seen == ["second"]
    [line] = logged.events("effect_failed")
    assert "the mail server is away" in line["exception"]


def test_effects_may_work_in_a_unit_of_their_own(acme: Tenant, globex: Tenant) -> None:
    def make() -> None:
        with tenant(globex.company_id), unit_of_work() as session:
            session.add(Customer(name="Made by an effect"))

    with tenant(acme.company_id), unit_of_work():
        after_commit(make)

    assert [row["name"] for row in globex.admin.get("/customers").get_json()["data"]] == ["Made by an effect"]
    assert current_scope().company_id is None
