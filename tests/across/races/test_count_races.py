"""Counts stay exact while many write."""

import time
from concurrent.futures import ThreadPoolExecutor

from sqlalchemy import Engine, func, select

from app.core.db.counts import RowCount
from app.customers.models import Customer
from tests.across.races.competing import make_customer, make_user, new_customer
from tests.across.races.fleet import SIZE, Fleet, by
from tests.support.clients import Tenant


def test_counts_are_exact_during_and_after_a_storm_of_writers(acme: Tenant, fleet: Fleet, everything: Engine) -> None:
    old = [make_customer(acme.admin) for _ in range(24)]
    batches = [
        [wish for path in old[who % 2 :: 2] for wish in (by(acme.admin, "DELETE", path), new_customer(acme.admin))]
        for who in range(SIZE)
    ]

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(fleet.run, *batches)
        looks = []
        while not running.done():
            looks.append(_counted(everything, acme))
            time.sleep(0.002)
    answers = running.result()

    made = sum(answer.status == 201 for batch in answers for answer in batch)
    total = acme.admin.get("/customers?limit=1").get_json()["pagination"]["total"]
    assert len({found for found, _ in looks}) > 3
    assert [each for each in looks if each[0] != each[1]] == []
    assert (total, total) == _counted(everything, acme)
    assert made == SIZE * 12
    assert total == made


def _counted(everything: Engine, company: Tenant) -> tuple[int, int]:
    """The maintained count and the real one, as one statement sees them."""
    kept, real = RowCount.__table__, Customer.__table__
    deltas = select(func.coalesce(func.sum(kept.c.delta), 0)).where(
        kept.c.company_id == company.company_id, kept.c.counted == "customer"
    )
    rows = select(func.count()).select_from(real).where(real.c.company_id == company.company_id)
    with everything.connect() as connection:
        found = connection.execute(select(deltas.scalar_subquery(), rows.scalar_subquery())).one()
    return int(found[0]), int(found[1])


def test_active_users_are_counted_exactly_while_they_come_and_go(acme: Tenant, fleet: Fleet) -> None:
    paths = [make_user(acme.admin) for _ in range(6)]

    fleet.run(
        *(
            [by(acme.admin, "PATCH", path, {"is_active": (who + at) % 2 == 0}) for at in range(3) for path in paths]
            for who in range(SIZE)
        )
    )

    rows = acme.admin.get("/users").get_json()["data"]
    shown = acme.admin.get(f"/companies/{acme.company_id}").get_json()
    assert shown["total_users"] == len(rows) == 7
    assert shown["total_active_users"] == sum(row["is_active"] for row in rows)
