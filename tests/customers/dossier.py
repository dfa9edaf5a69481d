"""Customers and their parts, made through the API."""

from typing import Any

from tests.support.clients import Tenant, unique

Json = dict[str, Any]
ADDRESS = {"type": "billing", "line1": "12 Mill Lane", "city": "Eastmere", "country": "GB"}
CONTACT = {"first_name": "Ada"}
PREFERENCE = {"channel": "email", "topic": "outage", "opted_in": True}
NOTE = {"body": "Prefers mornings."}
SERVICE = {"description": "Line repaired", "performed_on": "2025-07-22"}
PARTS: dict[str, Json] = {
    "addresses": ADDRESS, "contacts": CONTACT, "communication-preferences": PREFERENCE, "notes": NOTE,
}  # fmt: skip
EXPANDED = "addresses,contacts,tags,communication_preferences"


def customer(company: Tenant, **values: Any) -> str:
    """The path of a new customer."""
    made = company.admin.create("/customers", {"name": unique("Customer ")} | values)
    return f"/customers/{made['id']}"


def tag(company: Tenant, name: str = "") -> Json:
    return company.admin.create("/tags", {"name": name or unique("tag")})


def shown(company: Tenant, path: str) -> Json:
    answer = company.admin.get(path)
    assert answer.status_code == 200, answer.text
    found: Json = answer.get_json()
    return found


def rows(company: Tenant, path: str) -> list[Json]:
    found: list[Json] = shown(company, path)["data"]
    return found


def ids(company: Tenant, path: str) -> list[str]:
    return [row["id"] for row in rows(company, path)]
