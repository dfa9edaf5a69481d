"""POST /companies with an administrator: everything comes into being together, and they are invited."""

from typing import Any

import pytest
from sqlalchemy import Engine

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.everything import everything, row_counts
from tests.support.letters import Letters
from tests.support.marks import both_databases, one_database
from tests.support.rows import by_row

__all__ = ["everything"]
pytestmark = one_database
ADDRESS = "wile@example.com"
Json = dict[str, Any]


def new(**admin: Any) -> Json:
    return {"name": "Initech", "admin": {"email": ADDRESS} | admin}


@both_databases
def test_invited_administrator_runs_the_new_company(acme: Tenant, anonymous: ApiClient, letters: Letters) -> None:
    company = acme.admin.create("/companies", new(first_name="Wile", last_name="Coyote", language="fr"))
    assert (company["total_users"], company["total_active_users"]) == (1, 0)
    mail = letters.one(ADDRESS)
    assert "Un administrateur vous invite à rejoindre l’entreprise Initech." in mail.text

    answer = anonymous.post("/auth/accept-invitation?token=body", {"token": mail.token, "password": PASSWORD})

    admin = ApiClient(acme.app, answer.get_json()["access_token"])
    me = admin.get("/users/me").get_json()
    assert (me["company_id"], me["first_name"], me["last_name"]) == (company["id"], "Wile", "Coyote")
    [position] = admin.get("/positions").get_json()["data"]
    assert (position["title"], me["position_id"]) == ("Administrator", position["id"])
    [role] = admin.get(f"/users/{me['id']}/roles").get_json()["roles"]
    assert role["role"]["code"] == "administrator"
    [unit] = admin.get("/organization_units").get_json()["data"]
    assert unit["name"] == "default organization"


def test_the_platform_sees_nothing_of_the_invitation(acme: Tenant) -> None:
    acme.admin.create("/companies", new())

    assert acme.admin.get("/users/invitations").get_json()["data"] == []
    assert ADDRESS not in acme.admin.get("/users").text


@both_databases
def test_taken_address_makes_no_company(acme: Tenant, globex: Tenant, everything: Engine) -> None:
    before = row_counts(everything)

    answer = acme.admin.post("/companies", new(email=globex.admin.email))

    assert answer.status_code == 409
    assert answer.get_json()["errors"] == {"admin": {"email": ["Already in use."]}}
    assert row_counts(everything) == before


@by_row(
    "admin",
    [None, [], "x", {}, {"email": "x"}, {"email": ADDRESS, "password": PASSWORD}, {"email": ADDRESS, "language": "de"}],
)
def test_administrator_that_does_not_fit_is_named(acme: Tenant, everything: Engine, admin: Any) -> None:
    before = row_counts(everything)

    answer = acme.admin.post("/companies", {"name": "Initech", "admin": admin})

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == ["admin"]
    assert row_counts(everything) == before


@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_company_that_there_is_gets_no_administrator_that_way(acme: Tenant, globex: Tenant, method: str) -> None:
    answer = acme.admin.request(method, f"/companies/{globex.company_id}", new())

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == ["admin"]


def test_company_without_an_administrator_still_comes_into_being(acme: Tenant, letters: Letters) -> None:
    assert acme.admin.create("/companies", {"name": "Initech"})["total_users"] == 0

    assert letters.received() == []
