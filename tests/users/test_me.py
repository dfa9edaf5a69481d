"""/users/me: the caller, who needs a token and no permission."""

from typing import Any

from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.rows import by_row

PATH = "/users/me"


def test_caller_without_any_role_reads_themself(acme: Tenant) -> None:
    user = acme.user()

    answer = user.get(PATH)

    assert answer.status_code == 200
    assert (answer.get_json()["id"], answer.get_json()["email"]) == (user.user_id, user.email)
    assert user.get(f"/users/{user.user_id}").status_code == 403


@one_database
@by_row("method", ["GET", "PATCH"])
def test_nobody_is_no_caller(anonymous: ApiClient, method: str) -> None:
    assert anonymous.request(method, PATH, {} if method == "PATCH" else None).status_code == 401


def test_caller_changes_their_profile(acme: Tenant) -> None:
    user = acme.user()
    values = {"first_name": "Wile", "last_name": "Coyote", "language": "fr", "phone_number": "1", "address": "Desert"}

    answer = user.patch(PATH, values)

    assert answer.status_code == 200
    assert answer.get_json() | values == answer.get_json() == user.get(PATH).get_json()
    assert answer.headers["ETag"] == user.get(PATH).headers["ETag"]


@one_database
@by_row(
    "values",
    [
        {"email": "new@example.com"},
        {"username": "coyote"},
        {"password": "another correct horse"},
        {"is_active": False},
        {"is_verified": True},
        {"position_id": None},
        {"document_number": "1"},
        {"language": "de"},
        {"first_name": "x" * 51},
    ],
)
def test_nothing_else_of_oneself_can_be_changed_here(acme: Tenant, values: dict[str, Any]) -> None:
    user = acme.user()

    answer = user.patch(PATH, values | {"last_name": "Coyote"})

    assert answer.status_code == 400
    assert list(answer.get_json()["errors"]) == list(values)
    assert user.get(PATH).get_json()["last_name"] is None


def test_stale_if_match_changes_nothing(acme: Tenant) -> None:
    user = acme.user()
    tag = user.get(PATH).headers["ETag"]
    user.patch(PATH, {"first_name": "Wile"})

    answer = user.patch(PATH, {"first_name": "Ethelbert"}, headers={"If-Match": tag})

    assert answer.status_code == 412
    assert user.get(PATH).get_json()["first_name"] == "Wile"


@one_database
@by_row("header", ["X-User-ID", "X-Company-ID", "X-User", "X-Forwarded-User"])
def test_no_header_but_the_token_is_an_identity(
    acme: Tenant, globex: Tenant, anonymous: ApiClient, header: str
) -> None:
    user = acme.user()
    claimed = {header: globex.admin.company_id if "Company" in header else globex.admin.user_id}

    assert anonymous.get(PATH, headers=claimed).status_code == 401
    assert user.get(PATH, headers=claimed).get_json()["id"] == user.user_id
