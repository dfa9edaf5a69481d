"""Who must stay, and what a change or a deletion does at once."""

import pytest

from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.roles import CONTROL, user_with
from tests.users.people import PATH, login


@pytest.mark.parametrize("method", ["DELETE", "PATCH", "PUT"])
def test_nobody_deletes_or_deactivates_themself(acme: Tenant, method: str) -> None:
    acme.user("administrator")
    json = None if method == "DELETE" else {"email": acme.admin.email, "is_active": False}

    answer = acme.admin.request(method, f"{PATH}/{acme.admin.user_id}", json)

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "OWN_ACCOUNT")
    assert acme.admin.get("/users/me").get_json()["is_active"] is True


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_last_active_administrator_stays(acme: Tenant, method: str) -> None:
    second = acme.user("administrator")
    acme.admin.patch(f"{PATH}/{second.user_id}", {"is_active": False})
    acme.user("manager")
    clerk = user_with(acme, "identity:user:DELETE", "identity:user:UPDATE", CONTROL)

    answer = clerk.request(method, f"{PATH}/{acme.admin.user_id}", None if method == "DELETE" else {"is_active": False})

    assert (answer.status_code, answer.get_json()["error_code"]) == (409, "LAST_ADMINISTRATOR")
    assert acme.admin.get("/users/me").get_json()["is_active"] is True


@pytest.mark.parametrize("method", ["DELETE", "PATCH"])
def test_administrator_may_go_while_another_is_active(acme: Tenant, globex: Tenant, method: str) -> None:
    second = acme.user("administrator")

    answer = second.request(
        method, f"{PATH}/{acme.admin.user_id}", None if method == "DELETE" else {"is_active": False}
    )

    assert answer.status_code in (200, 204)
    assert acme.admin.get("/users/me").status_code == 401


def test_inactive_administrator_can_be_deleted(acme: Tenant) -> None:
    second = acme.user("administrator", is_active=False)

    assert acme.admin.delete(f"{PATH}/{second.user_id}").status_code == 204


def test_last_administrator_may_be_changed_in_other_ways(acme: Tenant) -> None:
    manager = acme.user("manager")

    answer = manager.patch(f"{PATH}/{acme.admin.user_id}", {"first_name": "Grace", "is_active": True})

    assert answer.get_json()["first_name"] == "Grace"


# What a change does at once


def test_deactivated_user_is_out_at_once_and_cannot_log_in(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user("viewer")
    tokens = anonymous.post("/auth/login?token=body", {"email": user.email, "password": PASSWORD}).get_json()

    acme.admin.patch(f"{PATH}/{user.user_id}", {"is_active": False})

    assert user.get("/customers").status_code == user.get("/users/me").status_code == 401
    assert anonymous.post("/auth/refresh", {"refresh_token": tokens["refresh_token"]}).status_code == 401
    assert login(anonymous, "email", user.email) == 403
    assert login(anonymous, "email", user.email, "wrong") == 401


def test_deleted_user_is_out_at_once_and_leaves_nothing(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user("viewer")
    login(anonymous, "email", user.email)

    answer = acme.admin.delete(f"{PATH}/{user.user_id}")

    assert answer.status_code == 204
    assert user.get("/users/me").status_code == 401
    assert login(anonymous, "email", user.email) == 401
    assert acme.admin.get(f"{PATH}/{user.user_id}").status_code == 404
    assert acme.admin.get(f"/guardian/user-roles?user_id={user.user_id}").get_json() == []


def test_last_login_is_shown_and_moves_no_version(acme: Tenant, anonymous: ApiClient) -> None:
    user = acme.user()
    before = acme.admin.get(f"{PATH}/{user.user_id}")

    login(anonymous, "email", user.email)

    after = acme.admin.get(f"{PATH}/{user.user_id}")
    assert before.get_json()["last_login_at"] is None
    assert after.get_json()["last_login_at"] is not None
    assert after.headers["ETag"] == before.headers["ETag"]
