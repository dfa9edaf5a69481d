"""Requests that compete with each other."""

from typing import Any

from tests.across.races.fleet import Answer, Wish, by
from tests.support.clients import PASSWORD, ApiClient, unique

Json = dict[str, Any]


def statuses(answers: list[Answer]) -> list[int]:
    return sorted(answer.status for answer in answers)


def new_user() -> Json:
    return {"email": f"{unique('new')}@example.com", "password": PASSWORD}


def make_customer(admin: ApiClient) -> str:
    return f"/customers/{admin.create('/customers', {'name': 'Wile'})['id']}"


def make_user(admin: ApiClient) -> str:
    return f"/users/{admin.create('/users', new_user())['id']}"


def new_customer(admin: ApiClient) -> Wish:
    return by(admin, "POST", "/customers", {"name": unique("customer")})
