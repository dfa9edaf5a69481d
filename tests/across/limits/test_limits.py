"""How often one client may ask."""

import time
from collections import Counter

import pytest
from flask import Flask

from tests.across.limits.conftest import log_in, statuses
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.contract import spec
from tests.support.declared import routes_of
from tests.support.marks import one_database
from tests.support.variants import Variant

pytestmark = one_database

ON = {"RATELIMIT_ENABLED": "true"}
DECLARED = {
    "/auth/login": "30/minute",
    "/auth/refresh": "60/minute",
    "/auth/logout": "60/minute",
    "/verify_password": "30/minute",
    "/users/password-reset/request": "50/hour;200/day",
    "/users/password-reset/confirm": "10/15 minutes",
}


@pytest.fixture
def limited(variant: Variant) -> Flask:
    return variant(**ON)


def test_the_limits_of_the_contract_are_declared(app: Flask) -> None:
    limits = {route.path: route.endpoint.limits for route in routes_of(app) if route.endpoint.limits}

    assert {path: limits[path] for path in DECLARED} == DECLARED


def test_every_limited_operation_says_so_in_openapi_yml(app: Flask) -> None:
    for route in routes_of(app):
        if route.endpoint.limits:
            name = route.path.replace("<", "{").replace(">", "}")
            assert "429" in spec()["paths"][name][route.method.lower()]["responses"], name


def test_the_thirty_first_login_of_a_minute_is_429(limited: Flask) -> None:
    assert Counter(statuses(limited, 30)) == {401: 30}

    answer = log_in(limited)

    assert (answer.status_code, answer.mimetype) == (429, "application/problem+json")
    assert answer.get_json()["error_code"] == "RATE_LIMITED"
    wait = int(answer.headers["Retry-After"])
    assert 1 <= wait <= 60
    assert answer.headers["RateLimit-Limit"] == "30"
    assert answer.headers["RateLimit-Remaining"] == "0"
    assert answer.headers["RateLimit-Reset"] == str(wait)
    assert answer.headers["X-Request-ID"]


def test_the_right_password_is_limited_as_well_and_other_paths_are_not(limited: Flask, acme: Tenant) -> None:
    statuses(limited, 30, "127.0.0.1")

    assert ApiClient(limited).post("/auth/login", {"email": acme.admin.email, "password": PASSWORD}).status_code == 429
    assert ApiClient(limited, acme.admin.token).get("/users/me").status_code == 200
    assert (
        ApiClient(limited).post("/verify_password", {"email": acme.admin.email, "password": PASSWORD}).status_code
        == 200
    )


def test_the_window_ends(variant: Variant, monkeypatch: pytest.MonkeyPatch) -> None:
    limited = variant(**ON)
    statuses(limited, 31)
    later = time.time() + 61

    monkeypatch.setattr(time, "time", lambda: later)

    assert log_in(limited).status_code == 401


@pytest.mark.parametrize("strategy", ["fixed-window", "moving-window"])
def test_both_ways_of_counting_hold(variant: Variant, strategy: str) -> None:
    limited = variant(**ON, RATELIMIT_STRATEGY=strategy)

    assert Counter(statuses(limited, 33)) == {401: 30, 429: 3}
    assert 1 <= int(log_in(limited).headers["Retry-After"]) <= 60


def test_it_can_be_switched_off(variant: Variant) -> None:
    assert Counter(statuses(variant(RATELIMIT_ENABLED="false"), 40)) == {401: 40}


def test_each_client_is_counted_alone(limited: Flask) -> None:
    statuses(limited, 31, "198.51.100.7")

    assert log_in(limited, 0, "198.51.100.7").status_code == 429
    assert log_in(limited, 0, "198.51.100.8").status_code == 401


@pytest.mark.parametrize(("path", "status"), [("/auth/refresh", 401), ("/auth/logout", 200)])
@pytest.mark.parametrize(
    ("addresses", "stranger"),
    [
        (["198.51.100.7", "198.51.100.200"], "198.51.101.7"),
        (["2001:db8:0:1::7", "2001:db8:0:1:ffff::9"], "2001:db8:0:2::7"),
    ],
)
def test_the_sixty_first_refresh_or_logout_of_a_network_in_a_minute_is_429(
    limited: Flask, path: str, status: int, addresses: list[str], stranger: str
) -> None:
    def ask(address: str) -> int:
        return ApiClient(limited).post(path, environ_overrides={"REMOTE_ADDR": address}).status_code

    found = Counter(ask(addresses[number % 2]) for number in range(61))

    assert found == {status: 60, 429: 1}
    assert ask(stranger) == status


def test_a_forwarded_address_counts_only_behind_a_trusted_proxy(variant: Variant) -> None:
    direct, behind = variant(**ON), variant(**ON, TRUSTED_PROXIES="1")

    found = {
        name: Counter(
            log_in(app, number, **{"X-Forwarded-For": f"198.51.100.{number}"}).status_code for number in range(32)
        )
        for name, app in (("direct", direct), ("behind", behind))
    }

    assert found == {"direct": {401: 30, 429: 2}, "behind": {401: 32}}


def test_the_code_is_confirmed_ten_times_in_a_quarter_of_an_hour(limited: Flask) -> None:
    body = {"email": "nobody@example.com", "otp_code": "123456", "new_password": "entirely different"}

    found = [ApiClient(limited).post("/users/password-reset/confirm", body) for _ in range(12)]

    assert Counter(each.status_code for each in found) == {400: 10, 429: 2}
    assert 840 < int(found[-1].headers["Retry-After"]) <= 900


def test_a_reset_is_requested_fifty_times_an_hour_and_two_hundred_a_day(
    limited: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, accepted = time.time(), []

    for hour in range(6):
        now = started + hour * 3601
        monkeypatch.setattr(time, "time", lambda now=now: now)
        found = [ApiClient(limited).post("/users/password-reset/request", {}) for _ in range(51)]
        accepted.append(Counter(each.status_code for each in found)[200])

    assert accepted == [50, 50, 50, 50, 0, 0]
    assert int(found[0].headers["Retry-After"]) > 3600


def test_the_auth_service_with_its_token_is_not_limited(variant: Variant) -> None:
    limited = variant(**ON, INTERNAL_AUTH_TOKEN="internal-token")
    bodies = [{"email": f"nobody{number}@example.com", "password": "wrong password"} for number in range(35)]

    def ask(token: str) -> Counter[int]:
        client = ApiClient(limited, headers={"X-Internal-Token": token})
        return Counter(client.post("/verify_password", body).status_code for body in bodies)

    assert ask("internal-token") == {403: 35}
    assert ask("wrong") == {403: 30, 429: 5}


def test_a_refused_request_is_not_looked_at(limited: Flask, acme: Tenant) -> None:
    statuses(limited, 30)
    path, headers = "/auth/login", {"Origin": "https://evil.example"}

    answer = ApiClient(limited).post(path, {}, headers=headers, environ_overrides={"REMOTE_ADDR": "198.51.100.7"})

    assert answer.status_code == 429


def test_applications_of_one_process_count_for_themselves(variant: Variant) -> None:
    one, other = variant(**ON), variant(**ON)
    statuses(one, 31)

    assert log_in(other).status_code == 401
