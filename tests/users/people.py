"""Users, by the fields that the tests need."""

from typing import Any

from tests.support.clients import PASSWORD, ApiClient, Tenant

PATH = "/users"
Json = dict[str, Any]


def new(**values: Any) -> Json:
    return {"email": "wile@example.com", "password": PASSWORD} | values


def emails(client: ApiClient, query: str = "") -> set[str]:
    return {row["email"] for row in client.get(f"{PATH}{query}").get_json()["data"]}


def position(company: Tenant) -> Json:
    [unit] = company.admin.get("/organization_units").get_json()["data"]
    return company.admin.create("/positions", {"title": "Lead", "organization_unit_id": unit["id"]})


def login(anonymous: ApiClient, name: str, value: str, password: str = PASSWORD) -> int:
    return anonymous.post("/auth/login", {name: value, "password": password}).status_code
