"""Questions and assignments of the embedded Guardian."""

from typing import Any

from app.base.permission import Permission
from app.core.services import services
from tests.support.clients import Tenant

CHECK, ASSIGNMENTS = "/guardian/check-access", "/guardian/user-roles"
Json = dict[str, Any]


def catalogue(company: Tenant) -> set[Permission]:
    with company.app.app_context():
        return set(services().catalogue)
