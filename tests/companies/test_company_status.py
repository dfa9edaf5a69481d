"""What the status of a company means to its people."""

import pytest

from tests.companies.founding import PATH, item
from tests.support.clients import PASSWORD, ApiClient, Tenant


@pytest.mark.parametrize("status", ["suspended", "inactive"])
def test_tokens_of_a_stopped_company_stop_at_once_and_nobody_logs_in(
    acme: Tenant, globex: Tenant, anonymous: ApiClient, status: str
) -> None:
    login = {"email": "admin@globex.example", "password": PASSWORD}
    pair = anonymous.post("/auth/login?token=body", login).get_json()
    assert globex.admin.get("/users/me").status_code == 200

    acme.admin.patch(item(globex), {"status": status})

    refused = [
        globex.admin.get("/users/me"),
        globex.admin.get("/customers"),
        globex.admin.patch(item(globex), {"status": "active"}),
        anonymous.post("/auth/login", login),
        anonymous.post("/auth/refresh", {"refresh_token": pair["refresh_token"]}),
    ]
    assert [(answer.status_code, answer.get_json()["error_code"]) for answer in refused] == [
        (403, "COMPANY_NOT_ACTIVE")
    ] * len(refused)
    assert anonymous.post("/auth/login", login | {"password": "wrong"}).status_code == 401
    assert acme.admin.get("/users/me").status_code == 200


def test_company_that_is_active_again_goes_on_with_the_same_tokens(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(globex), {"status": "suspended"})

    acme.admin.patch(item(globex), {"status": "active"})

    assert globex.admin.get("/users/me").status_code == 200


@pytest.mark.parametrize("status", ["suspended", "inactive"])
@pytest.mark.parametrize("method", ["PUT", "PATCH"])
def test_platform_company_is_always_active(acme: Tenant, status: str, method: str) -> None:
    answer = acme.admin.request(method, item(acme), {"name": "acme", "status": status})

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "PLATFORM_COMPANY")
    assert acme.admin.get(item(acme)).get_json()["status"] == "active"


@pytest.mark.parametrize("query", ["", "?cascade=true"])
def test_platform_company_cannot_be_deleted(acme: Tenant, query: str) -> None:
    answer = acme.admin.delete(f"{item(acme)}{query}")

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "PLATFORM_COMPANY")
    assert acme.admin.get("/users/me").status_code == 200


def test_nobody_makes_a_second_platform_company(acme: Tenant, globex: Tenant) -> None:
    created = acme.admin.post(PATH, {"name": "Initech", "is_platform": True})
    changed = acme.admin.patch(item(globex), {"is_platform": True})

    assert created.status_code == changed.status_code == 400
    assert list(created.get_json()["errors"]) == list(changed.get_json()["errors"]) == ["is_platform"]


@pytest.mark.parametrize("values", [{"status": "suspended"}, {"status": "inactive"}, {"days_credit": 9999}])
def test_a_tenant_changes_neither_its_status_nor_its_credit(
    acme: Tenant, globex: Tenant, values: dict[str, object]
) -> None:
    before = globex.admin.get(item(globex)).get_json()

    for method in ("PATCH", "PUT"):
        answer = globex.admin.request(method, item(globex), {"name": "globex", "city": "Oslo"} | values)
        assert (answer.status_code, answer.get_json()["error_code"]) == (403, "ACCESS_DENIED")

    assert globex.admin.get(item(globex)).get_json() == before
    assert acme.admin.patch(item(globex), values).status_code == 200


def test_a_tenant_saves_its_form_with_the_values_that_are_there(acme: Tenant, globex: Tenant) -> None:
    acme.admin.patch(item(globex), {"days_credit": 30})

    answer = globex.admin.put(item(globex), {"name": "globex", "city": "Oslo", "status": "active", "days_credit": 30})

    assert (answer.status_code, answer.get_json()["city"]) == (200, "Oslo")
