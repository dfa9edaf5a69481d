"""Roles and policies to edit."""

from typing import Any

from app.guardian.models import permission_id
from tests.support.clients import ApiClient

ROLES, POLICIES, PERMISSIONS = "/guardian/roles", "/guardian/policies", "/guardian/permissions"
Json = dict[str, Any]
HELD, LACKED = "identity:customer:READ", "identity:customer:DELETE"


def id_of(permission: str) -> str:
    return str(permission_id(*permission.split(":")))


def policy_with(client: ApiClient, name: str, *permissions: str) -> Json:
    policy = client.create(POLICIES, {"name": name})
    for each in permissions:
        client.create(f"{POLICIES}/{policy['id']}/permissions", {"permission_id": id_of(each)})
    return policy


def role_of(client: ApiClient, name: str, *policies: Json) -> Json:
    role = client.create(ROLES, {"name": name})
    for each in policies:
        client.create(f"{ROLES}/{role['id']}/policies", {"policy_id": each["id"]})
    return role


def may(client: ApiClient, permission: str) -> bool:
    service, resource_name, operation = permission.split(":")
    asked = {"service": service, "resource_name": resource_name, "operation": operation}
    answer = client.post(
        "/guardian/check-access", {"user_id": client.user_id, "company_id": client.company_id, **asked}
    )
    granted: bool = answer.get_json()["access_granted"]
    return granted


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["error_code"]
