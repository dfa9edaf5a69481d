"""401: what browser applications refresh on, and what tells one cause from another."""

from time import time
from uuid import UUID

import jwt
from flask import Flask

from app.core.services import services
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.marks import one_database

MESSAGE = "Missing or invalid JWT token"
REFUSED = 'Bearer error="invalid_token"'


def refusal(client: ApiClient, **headers: str) -> tuple[int, str, str, str]:
    answer = client.get("/version", headers=headers)
    problem = answer.get_json()
    assert problem["detail"] == problem["message"]
    return answer.status_code, problem["message"], problem["error_code"], answer.headers["WWW-Authenticate"]


def expired(client: ApiClient) -> str:
    """The client's own token, signed again with an end in the past."""
    with client.app.app_context():
        secret = services().settings.jwt_secret
    claims = jwt.decode(client.token or "", options={"verify_signature": False})
    return jwt.encode({**claims, "exp": int(time()) - 1}, secret, "HS256")


@one_database
def test_a_request_without_a_token_is_told_that_it_is_missing(anonymous: ApiClient) -> None:
    missing = (401, MESSAGE, "TOKEN_MISSING", "Bearer")

    assert refusal(anonymous) == missing
    assert refusal(anonymous, Cookie="access_token=") == missing
    assert refusal(anonymous, Authorization="Basic eDp4") == missing


@one_database
def test_a_token_that_never_was_one_is_invalid(acme: Tenant, anonymous: ApiClient) -> None:
    invalid = (401, MESSAGE, "TOKEN_INVALID", REFUSED)

    assert refusal(anonymous, Authorization="Bearer x") == invalid
    assert refusal(anonymous, Cookie=f"access_token={acme.admin.token}x") == invalid


@one_database
def test_an_expired_token_is_told_from_a_forged_one(acme: Tenant, anonymous: ApiClient) -> None:
    token = expired(acme.admin)

    assert refusal(anonymous, Authorization=f"Bearer {token}") == (401, MESSAGE, "TOKEN_EXPIRED", REFUSED)
    assert refusal(anonymous, Cookie=f"access_token={token}")[2] == "TOKEN_EXPIRED"
    assert refusal(anonymous, Authorization=f"Bearer {token[:-4]}AAAA")[2] == "TOKEN_INVALID"


def test_a_token_of_an_ended_session_says_so(acme: Tenant) -> None:
    ended = (401, MESSAGE, "SESSION_ENDED", REFUSED)
    leaver, deactivated, deleted = acme.user("viewer"), acme.user("viewer"), acme.user("viewer")

    leaver.post("/auth/logout")
    acme.admin.patch(f"/users/{deactivated.user_id}", {"is_active": False})
    acme.admin.delete(f"/users/{deleted.user_id}")

    assert refusal(leaver) == refusal(deactivated) == refusal(deleted) == ended


def test_a_token_without_a_session_is_invalid_for_nobody(app: Flask, acme: Tenant, anonymous: ApiClient) -> None:
    gone = acme.user("viewer")
    with app.app_context():
        token = services().tokens.sign(UUID(gone.user_id), acme.company_id, None, None)
    acme.admin.delete(f"/users/{gone.user_id}")

    assert refusal(anonymous, Authorization=f"Bearer {token}")[2] == "TOKEN_INVALID"


def test_a_refusal_to_refresh_has_the_same_codes_and_other_words(acme: Tenant, anonymous: ApiClient) -> None:
    """The words of an access token would lead a client to refresh again."""
    login = {"email": acme.admin.email, "password": PASSWORD}
    token = anonymous.post("/auth/login?token=body", login).get_json()["refresh_token"]
    anonymous.post("/auth/logout", {"refresh_token": token})

    answers = [anonymous.post("/auth/refresh", body) for body in ({}, {"refresh_token": "x"}, {"refresh_token": token})]

    assert [answer.get_json()["error_code"] for answer in answers] == [
        "TOKEN_MISSING",
        "TOKEN_INVALID",
        "SESSION_ENDED",
    ]
    assert not any("JWT" in answer.get_json()["message"] for answer in answers)
