"""Invitations, and what became of them."""

from typing import Any

from tests.support.clients import Tenant

PATH = "/users/invitations"
ADDRESS = "wile@example.com"
Json = dict[str, Any]


def invite(company: Tenant, **values: Any) -> Json:
    return company.admin.create(PATH, {"email": ADDRESS} | values)
