"""Totals that are kept instead of taken: exact after whatever happens to the rows."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import delete, func, select, text, update

from app.companies.service import TOTALS
from app.core.db import counts
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.models import Customer
from app.organization_units.models import OrganizationUnit
from app.positions.models import Position
from app.subcontractors.models import Subcontractor
from app.users.models import User
from tests.support.clients import Tenant
from tests.support.declared import Maker, collections, find_route
from tests.support.marks import only_postgresql

COUNTED = {each.__tablename__: each for each in (User, OrganizationUnit, Position, Customer, Subcontractor)}
CREATORS, EACH = 6, 8


def differing(of: Tenant) -> dict[str, tuple[int, int]]:
    """Kinds whose kept total is not the number of their rows: (kept, rows)."""
    with tenant(of.company_id), unit_of_work(writes=False) as session:
        found = {name: (kept(session, name), _rows(session, model)) for name, model in COUNTED.items()}
        active = select(func.count()).select_from(User).where(User.is_active)
        found["user.active"] = (kept(session, "user.active"), session.scalar(active) or 0)
    return {name: pair for name, pair in found.items() if pair[0] != pair[1]}


def kept(session: Any, counted: str) -> int:
    statement = select(func.sum(counts.RowCount.delta)).where(counts.RowCount.counted == counted)
    return session.scalar(statement) or 0


def _rows(session: Any, model: type[Any]) -> int:
    return session.scalar(select(func.count()).select_from(model)) or 0


def total(of: Tenant, path: str) -> int:
    """Of a page that is full, so that it cannot be read off the page."""
    found: int = of.admin.get(f"{path}?limit=1").get_json()["pagination"]["total"]
    return found


def test_the_total_of_every_list_follows_what_is_made(app: Flask, acme: Tenant, globex: Tenant) -> None:
    """A new table whose migration forgets to count it would show 0."""
    maker = Maker(app, globex)

    for endpoint in collections(app):
        post = find_route(app, endpoint.path, "POST")
        if endpoint.unpaginated or "list" not in endpoint.verbs or post is None:
            continue
        if post.permission is None or post.permission.platform:
            continue
        maker.create(endpoint.path)
        before = total(globex, endpoint.path)
        for _ in range(3):
            maker.create(endpoint.path)
        assert total(globex, endpoint.path) == before + 3, endpoint.path
    assert differing(globex) == {}
    assert total(acme, "/users") == 1


def test_totals_follow_creation_and_deletion(acme: Tenant, globex: Tenant) -> None:
    made = [acme.admin.create("/customers", {"name": f"C{n}"})["id"] for n in range(4)]
    acme.admin.delete(f"/customers/{made[0]}")

    assert total(acme, "/customers") == 3
    assert (differing(acme), differing(globex)) == ({}, {})


def test_bulk_statements_are_counted(acme: Tenant, globex: Tenant) -> None:
    for n in range(5):
        acme.admin.create("/customers", {"name": f"C{n}"})
        acme.user(first_name=f"U{n}")
    globex.admin.create("/customers", {"name": "C0"})

    with tenant(acme.company_id), unit_of_work() as session:
        session.execute(delete(Customer).where(Customer.name < "C3"))
        session.execute(update(User).where(User.first_name > "U1").values(is_active=False))
        session.add_all([Customer(name=f"N{n}") for n in range(20)])
    with tenant(acme.company_id), unit_of_work() as session:
        session.execute(update(User).where(User.first_name == "U4").values(is_active=True))
        session.execute(update(User).values(language="fr"))

    assert total(acme, "/customers") == 22
    assert (differing(acme), differing(globex)) == ({}, {})


def test_what_goes_with_something_else_is_counted(acme: Tenant) -> None:
    top = acme.admin.create("/organization_units", {"name": "Top"})["id"]
    below = acme.admin.create("/organization_units", {"name": "Below", "parent_id": top})["id"]
    for n in range(3):
        acme.admin.create("/positions", {"title": f"P{n}", "organization_unit_id": below})

    acme.admin.delete(f"/organization_units/{top}")

    assert differing(acme) == {}
    assert acme.admin.get("/positions").get_json()["pagination"]["total"] == 1


def test_what_is_rolled_back_was_never_counted(acme: Tenant) -> None:
    acme.admin.create("/customers", {"name": "Kept", "email": "kept@example.com"})

    with suppress(LookupError), tenant(acme.company_id), unit_of_work() as session:
        session.add_all([Customer(name=f"N{n}") for n in range(3)])
        session.flush()
        session.execute(delete(Customer).where(Customer.name == "Kept"))
        raise LookupError
    refused = acme.admin.post("/customers", {"name": "Again", "email": "kept@example.com"})

    assert refused.status_code == 409
    assert differing(acme) == {}


def test_totals_are_right_inside_the_transaction_that_changes_them(acme: Tenant) -> None:
    with tenant(acme.company_id), unit_of_work() as session:
        session.add_all([Customer(name=f"N{n}") for n in range(3)])
        session.flush()
        assert kept(session, "customer") == 3
        session.execute(delete(Customer).where(Customer.name != "N1"))
        assert kept(session, "customer") == 1


def test_many_creators_at_once_neither_fail_nor_miscount(app: Flask, acme: Tenant) -> None:
    def create(creator: int) -> list[int]:
        posts = (acme.admin.post("/customers", {"name": f"{creator} {n}"}) for n in range(EACH))
        return [answer.status_code for answer in posts]

    with ThreadPoolExecutor(CREATORS) as pool:
        statuses = [status for made in pool.map(create, range(CREATORS)) for status in made]

    assert statuses == [201] * CREATORS * EACH
    assert total(acme, "/customers") == CREATORS * EACH
    assert differing(acme) == {}


def test_creators_and_deleters_at_once_leave_a_right_total(acme: Tenant) -> None:
    made = [acme.admin.create("/customers", {"name": f"C{n}"})["id"] for n in range(CREATORS * 2)]

    def work(n: int) -> tuple[int, ...]:
        return (
            acme.admin.delete(f"/customers/{made[n]}").status_code,
            acme.admin.post("/customers", {"name": f"New {n}"}).status_code,
            acme.admin.patch(f"/customers/{made[-n - 1]}", {"name": "Changed"}).status_code,
        )

    with ThreadPoolExecutor(CREATORS) as pool:
        statuses = set(pool.map(work, range(CREATORS)))

    assert statuses == {(204, 201, 200)}
    assert differing(acme) == {}


@only_postgresql
def test_folding_makes_one_delta_of_many_and_keeps_the_sum(acme: Tenant) -> None:
    for n in range(12):
        with tenant(acme.company_id), unit_of_work() as session:
            session.add(Customer(name=f"C{n}"))
    with tenant(acme.company_id), unit_of_work() as session:
        fold = text("SELECT fold_row_count(:tenant, 'customer')").bindparams(tenant=acme.company_id)
        session.execute(fold, execution_options={"unguarded": "a test"})
        wanted = counts.RowCount.counted == "customer"
        deltas = session.scalar(select(func.count()).select_from(counts.RowCount).where(wanted))

    assert deltas == 1
    assert differing(acme) == {}


def test_a_company_tells_the_totals_of_its_users(acme: Tenant, globex: Tenant) -> None:
    users = [globex.user() for _ in range(3)]
    globex.admin.patch(f"/users/{users[0].user_id}", {"is_active": False})
    globex.admin.delete(f"/users/{users[1].user_id}")

    expected = {"total_users": 3, "total_active_users": 2}
    own = globex.admin.get(f"/companies/{globex.company_id}").get_json()
    one = acme.admin.get(f"/companies/{globex.company_id}").get_json()
    listed = {UUID(row["id"]): row for row in acme.admin.get("/companies").get_json()["data"]}

    assert set(TOTALS.values()) == set(expected)
    for shown in (own, one, listed[globex.company_id]):
        assert {name: shown[name] for name in expected} == expected
    assert listed[acme.company_id]["total_users"] == 1


def test_counts_of_a_tenant_go_with_it(acme: Tenant) -> None:
    company = acme.admin.create("/companies", {"name": "Initech"})
    acme.admin.patch(f"/companies/{company['id']}", {"status": "inactive"})

    gone = acme.admin.delete(f"/companies/{company['id']}?cascade=true")

    assert gone.status_code == 204
    with db.engine.connect() as connection:
        left = (
            select(func.count()).select_from(counts.RowCount).where(counts.RowCount.company_id == UUID(company["id"]))
        )
        assert connection.scalar(left) == 0
