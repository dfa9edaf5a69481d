"""/customers/{id}/subscription-state: the steps that docs/customers.md draws, and no others."""

import re
from itertools import permutations, product
from typing import Any

from flask import Flask
from sqlalchemy import update

from app.config.settings import ROOT
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.customers.models import STATES, Customer
from tests.customers.dossier import customer, rows, shown
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.roles import user_with
from tests.support.rows import by_row

STEP = re.compile(r"^\s+(\w+) --> (\w+)", re.MULTILINE)


def drawn() -> set[tuple[str, str]]:
    text = (ROOT / "docs/customers.md").read_text()
    [diagram] = re.findall(r"```mermaid\nstateDiagram-v2\n(.*?)```", text, re.DOTALL)
    return set(STEP.findall(diagram))


def put(company: Tenant, owner: str, state: str, **values: Any) -> Any:
    return company.admin.put(f"{owner}/subscription-state", {"state": state} | values)


@one_database
def test_the_steps_that_are_drawn_are_taken_and_all_others_are_conflicts(app: Flask, acme: Tenant) -> None:
    path = f"{(owner := customer(acme))}/subscription-state"
    taken = set()

    for old, new in permutations(STATES, 2):
        with app.app_context(), tenant(acme.company_id), unit_of_work() as session:
            session.execute(update(Customer).values(subscription_state=old))
        allowed = shown(acme, path)["allowed"]
        answer = put(acme, owner, new)
        assert answer.status_code == (200 if new in allowed else 409), (old, new)
        assert shown(acme, path)["state"] == (new if new in allowed else old)
        taken |= {(old, new)} if answer.status_code == 200 else set()

    assert taken == drawn()


def test_every_state_can_be_reached_and_none_is_a_dead_end() -> None:
    reached = {("prospect", "prospect")} | drawn()
    for _ in STATES:
        reached |= {(a, d) for (a, b), (c, d) in product(reached, drawn()) if b == c}

    assert {to for start, to in reached if start == "prospect"} == set(STATES)
    assert {start for start, _ in drawn()} == set(STATES)


def test_history_says_who_and_why(acme: Tenant) -> None:
    owner, clerk = customer(acme), user_with(acme, "identity:customer_subscription:UPDATE")
    before = shown(acme, f"{owner}/subscription-state")

    put(acme, owner, "trial")
    clerk.put(f"{owner}/subscription-state", {"state": "active", "reason": "Signed."})
    acme.admin.delete(f"/users/{clerk.user_id}")

    found = shown(acme, f"{owner}/subscription-state")
    history = rows(acme, f"{owner}/subscription-state/history")
    assert before == {
        "state": "prospect",
        "allowed": before["allowed"],
        "reason": None,
        "changed_at": None,
        "changed_by": None,
    }
    assert (found["state"], found["reason"], found["changed_by"]) == ("active", "Signed.", clerk.user_id)
    assert found["changed_at"] == history[1]["created_at"]
    assert [(row["old_state"], row["new_state"]) for row in history] == [("prospect", "trial"), ("trial", "active")]


def test_the_state_it_has_already_is_no_change(acme: Tenant) -> None:
    owner = customer(acme)
    before = acme.admin.get(owner).headers["ETag"]

    assert put(acme, owner, "prospect", reason="Again.").status_code == 200
    assert acme.admin.get(owner).headers["ETag"] == before
    assert rows(acme, f"{owner}/subscription-state/history") == []


def test_the_state_is_shown_and_filtered_but_not_written_with_the_customer(acme: Tenant) -> None:
    owner = customer(acme)
    customer(acme)
    put(acme, owner, "active")

    refused = acme.admin.patch(owner, {"subscription_state": "cancelled"})

    assert list(refused.get_json()["errors"]) == ["subscription_state"]
    assert shown(acme, owner)["subscription_state"] == "active"
    assert [f"/customers/{row['id']}" for row in rows(acme, "/customers?subscription_state=active")] == [owner]


@one_database
@by_row("body", [{}, {"state": "gone"}, {"state": None}, {"state": "active", "reason": "x" * 501}])
def test_body_that_does_not_fit_is_refused(acme: Tenant, globex: Tenant, body: dict[str, Any]) -> None:
    path = f"{customer(acme)}/subscription-state"

    assert acme.admin.put(path, body).status_code == 400
    assert globex.admin.put(path, body).status_code == 404
    assert shown(acme, path)["state"] == "prospect"
