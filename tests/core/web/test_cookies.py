"""Cookies of one name: a neighbouring site may have set one of them."""

from typing import Any

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database

pytestmark = one_database


def tokens_of(client: ApiClient) -> Any:
    login = {"email": client.email, "password": PASSWORD}
    return ApiClient(client.app).post("/auth/login?token=body", login).get_json()


def test_two_access_tokens_are_refused_in_either_order(acme: Tenant, globex: Tenant, anonymous: ApiClient) -> None:
    one, other = acme.admin.token, globex.admin.token

    for first, second in ((one, other), (other, one), (one, "x"), ("", one)):
        headers = {"Cookie": f"access_token={first}; a=b; access_token={second}"}
        answer = anonymous.get("/users/me", headers=headers)
        assert (answer.status_code, answer.get_json()["error_code"]) == (400, "BAD_REQUEST")
        assert "access_token" in answer.get_json()["detail"]
        assert str(one) not in answer.text


def test_the_same_token_twice_is_one(acme: Tenant, anonymous: ApiClient) -> None:
    headers = {"Cookie": f"access_token={acme.admin.token}; access_token={acme.admin.token}"}

    assert anonymous.get("/users/me", headers=headers).status_code == 200


def test_two_refresh_tokens_are_refused_and_both_stay_valid(acme: Tenant, globex: Tenant, anonymous: ApiClient) -> None:
    one, other = (tokens_of(tenant.admin)["refresh_token"] for tenant in (acme, globex))

    for path in ("/auth/refresh", "/auth/logout"):
        answer = anonymous.post(path, headers={"Cookie": f"refresh_token={one}; refresh_token={other}"})
        assert answer.status_code == 400

    for token in (one, other):
        assert anonymous.post("/auth/refresh", headers={"Cookie": f"refresh_token={token}"}).status_code == 200
