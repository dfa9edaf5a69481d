"""``flask demo``: what it makes, once, and for whom it does nothing."""

import re
from itertools import islice
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from click.testing import Result
from flask import Flask
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app import create_app
from app.accounts.onboarding.service import create_company
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.demo.companies import EXAMPLES, Example
from app.demo.names import people
from app.demo.service import ACCOUNTS, PASSWORD, _create
from app.users.models import User
from tests.support.clients import ApiClient, make_tenant
from tests.support.clients import sign_in as session_of
from tests.support.databases import settings_for
from tests.support.marks import one_database
from tests.support.stages import Stage

COUNTS = {"organization_units": 40, "positions": 60, "users": 300, "customers": 120, "subcontractors": 30}
SECRET = "a7f3c19e5b2d8046f1e3a9c7d5b28460"


def run(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["demo", *arguments])


def sign_in(app: Flask, email: str, password: str = PASSWORD) -> ApiClient:
    answer = ApiClient(app).post("/auth/login?token=body", {"email": email, "password": password})
    assert answer.status_code == 200, answer.text
    return ApiClient(app, answer.get_json()["access_token"], email=email)


def rows(client: ApiClient, path: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"{path}?limit=1000").get_json()["data"]
    return found


@pytest.fixture(scope="module")
def printed(stage: Stage) -> str:
    """What the first run on an empty database prints. The tests that use it change nothing."""
    stage.snapshot.clear()
    result = run(stage.app, "--url", "http://here:81/")
    assert result.exit_code == 0, result.output
    return result.output


@pytest.fixture(scope="module")
def demo(stage: Stage, printed: str) -> Flask:
    """The application with the demo data."""
    return stage.app


@pytest.fixture(params=EXAMPLES, ids=lambda example: example.domain)
def admin(request: pytest.FixtureRequest, demo: Flask) -> ApiClient:
    example: Example = request.param
    return sign_in(demo, f"admin@{example.domain}")


def test_each_company_has_as_much_as_promised(admin: ApiClient) -> None:
    totals = {name: admin.get(f"/{name}?limit=1").get_json()["pagination"]["total"] for name in COUNTS}

    assert totals == COUNTS


def test_every_fourth_customer_has_a_dossier(admin: ApiClient) -> None:
    expanded = "addresses,contacts,tags,communication_preferences"

    customers = admin.get(f"/customers?limit=1000&expand={expanded}").get_json()["data"]

    full = [each for each in customers if all(each[name] for name in expanded.split(","))]
    assert len(full) == len([each for each in customers if each["addresses"]]) == 30
    assert {each["subscription_state"] for each in full} == {
        "prospect", "trial", "active", "past_due", "suspended", "cancelled",
    }  # fmt: skip
    assert {each["total_services"] for each in full} == {0, 1, 2, 3}


def test_only_the_first_company_is_the_platform_company(demo: Flask) -> None:
    companies = rows(sign_in(demo, "admin@acme.example"), "/companies")

    shown = {each["name"]: (each["is_platform"], each["total_users"]) for each in companies}
    assert shown == {"Acme Logistics": (True, 300), "Globex Energy": (False, 300)}


def test_the_units_are_one_tree_four_levels_deep(admin: ApiClient) -> None:
    units = rows(admin, "/organization_units")

    assert {unit["level"] for unit in units} >= {0, 1, 2, 3}
    roots = [unit for unit in units if unit["parent_id"] is None]
    assert len(roots) == 1
    assert roots[0]["name"] in {example.name for example in EXAMPLES}


def test_people_hold_positions_and_every_position_is_held(admin: ApiClient) -> None:
    users, positions = rows(admin, "/users"), rows(admin, "/positions")

    held = [user["position_id"] for user in users if user["position_id"]]
    assert set(held) == {position["id"] for position in positions}
    assert 280 < len(held) < 300
    assert {user["language"] for user in users} == {"en", "fr"}
    assert any(not user["is_active"] for user in users)


def test_nobody_bears_the_name_of_another(demo: Flask) -> None:
    users = [user for each in EXAMPLES for user in rows(sign_in(demo, f"admin@{each.domain}"), "/users")]

    names = {(user["first_name"], user["last_name"]) for user in users if not user["email"].startswith("admin@")}
    assert len(names) == 598


@pytest.mark.parametrize("account", ACCOUNTS.values(), ids=lambda account: account.name)
def test_the_printed_accounts_may_what_their_roles_say(demo: Flask, account: Any) -> None:
    client = sign_in(demo, f"{account.name}@acme.example")

    customer = rows(sign_in(demo, "admin@acme.example"), "/customers")[0]
    reading = client.get(f"/customers/{customer['id']}").status_code
    changing = client.patch(f"/customers/{customer['id']}", {"name": customer["name"]}).status_code
    assert (reading, changing) == {"manager": (200, 200), "viewer": (200, 403), None: (403, 403)}[account.role]


def test_everybody_else_has_no_password(demo: Flask, admin: ApiClient) -> None:
    company_id = UUID(admin.get("/users/me").get_json()["company_id"])

    with demo.app_context(), tenant(company_id), unit_of_work(writes=False) as session:
        able = session.scalars(select(User.email).where(User.password_hash.is_not(None))).all()

    assert {email.partition("@")[0] for email in able} == {"admin", *(each.name for each in ACCOUNTS.values())}


def test_what_is_printed_says_how_to_sign_in(printed: str) -> None:
    assert PASSWORD in printed
    assert "http://here:81/docs" in printed
    for example in EXAMPLES:
        for name in ("admin", "manager", "viewer", "colleague"):
            assert f"{name}@{example.domain}" in printed
    for number, name in zip(COUNTS.values(), ("units", "positions", "users", "customers"), strict=False):
        assert len(re.findall(f"{number} {name}", printed)) == 2


def test_a_second_run_changes_nothing_and_says_so(demo: Flask) -> None:
    client = sign_in(demo, "admin@acme.example")
    before = rows(client, "/users")

    result = run(demo)

    assert result.exit_code == 0
    assert result.output.count("is already there") == 2
    assert PASSWORD in result.output
    assert rows(client, "/users") == before


def test_names_come_in_the_same_order_every_time() -> None:
    first, again = (list(islice(people(300), 300)) for _ in range(2))

    assert first == again
    assert first[0] == ("Priya", "Abbott")


@one_database
@pytest.mark.usefixtures("empty")
def test_an_interrupted_run_is_completed_by_the_next(app: Flask) -> None:
    with app.app_context():
        _create(EXAMPLES[0])

    result = run(app)

    assert "already there" not in result.output
    users = sign_in(app, "admin@acme.example").get("/users?limit=1").get_json()
    assert users["pagination"]["total"] == 300


@one_database
@pytest.mark.usefixtures("empty")
def test_beside_a_company_of_ones_own_the_first_one_is_no_platform(app: Flask) -> None:
    own = make_tenant(app, "initech", is_platform=True)

    result = run(app)

    assert result.exit_code == 0
    assert "platform company" not in result.output
    assert len(rows(own.admin, "/companies")) == 3


@pytest.mark.usefixtures("empty")
@pytest.mark.parametrize(("name", "domain"), [("Acme Logistics", "else.example"), ("Acme", "acme.example")])
def test_a_company_of_ones_own_with_such_a_name_or_address_is_left_alone(app: Flask, name: str, domain: str) -> None:
    with app.app_context():
        own = create_company(uuid7(), {"name": name}, {"email": f"admin@{domain}"})

    result = run(app)

    assert result.exit_code == 1
    assert "has a name of the demo data" in result.output
    admin = session_of(app, own.company.id, own.user.id, own.user.email)
    assert len(rows(admin, "/users")) == 1


@pytest.mark.parametrize("environment", ["staging", "production"])
def test_a_deployed_service_refuses(environment: str, tmp_path: Path) -> None:
    target = tmp_path / "identity.db"
    deployed = create_app(
        settings_for(f"sqlite:///{target}", FLASK_ENV=environment, JWT_SECRET=SECRET, INIT_TOKEN="token" * 8)
    )

    result = run(deployed)

    assert result.exit_code == 1
    assert "development and testing only" in result.output
    assert PASSWORD not in result.output
