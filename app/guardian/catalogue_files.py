"""The catalogue of permissions in files: written for other engines, read from other services."""

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby, product
from typing import Any

import yaml
from marshmallow import ValidationError, validate

from app.base.errors import Invalid
from app.base.permission import Permission
from app.base.roles import ADMINISTRATOR, CUSTOMER, MANAGER, VIEWER
from app.core.services import services
from app.core.wire.schema import BaseSchema, column_field
from app.guardian.models import GuardianPermission
from app.guardian.service import default_permissions

Json = dict[str, Any]
CODES = (ADMINISTRATOR, MANAGER, VIEWER, CUSTOMER)
"""The default roles."""
SAME_COMPANY = "request.resource.attr.company_id == request.principal.attr.company_id"
OF_PLATFORM = "request.principal.attr.is_platform"
HEAD = "# Written by: flask guardian catalogue --format cerbos\n"
OWN_SERVICES = ("identity", "guardian")
# Permissions are written service:resource:operation, and their ids derive from these names.
NAME = validate.Regexp(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z", error="Only letters, digits and _ . - make a name.")
FOREIGN = validate.NoneOf(OWN_SERVICES, error="This service's own permissions come with it.")


def as_json() -> str:
    """Every permission; ``roles`` are the default roles that hold it."""
    holders = _holders()
    rows = [{**item.names, "platform": item.platform, "roles": holders[item]} for item in sorted(services().catalogue)]
    return json.dumps(rows, indent=2) + "\n"


def as_guardian() -> str:
    """The permissions as a Guardian stores them, and as ``flask guardian import`` reads them."""
    rows = [{**item.names, "description": item.description or None} for item in sorted(services().catalogue)]
    return json.dumps(rows, indent=2) + "\n"


def as_cerbos() -> dict[str, str]:
    """A resource policy for each kind of resource, by file name."""
    ordered = sorted(services().catalogue, key=lambda item: (item.resource_name, item.service, item.operation))
    kinds = groupby(ordered, key=lambda item: item.resource_name)
    holders = _holders()
    return {
        f"{kind}.yaml": HEAD + yaml.safe_dump(_policy(kind, permissions, holders), sort_keys=False)
        for kind, permissions in kinds
    }


def _holders() -> Mapping[Permission, list[str]]:
    """The default roles that hold each permission. The Administrator holds every one."""
    held = {code: set(services().catalogue if code == ADMINISTRATOR else default_permissions(code)) for code in CODES}
    return {item: [code for code in CODES if item in held[code]] for item in services().catalogue}


def _policy(kind: str, permissions: Iterable[Permission], holders: Mapping[Permission, list[str]]) -> Json:
    by_service = groupby(permissions, key=lambda item: item.service)
    rules = [rule for service, items in by_service for rule in _rules(service, list(items), holders)]
    return {
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {"resource": kind, "version": "default", "rules": rules},
    }


def _rules(service: str, permissions: Iterable[Permission], holders: Mapping[Permission, list[str]]) -> Iterator[Json]:
    """The rules of one service: another may use the same names for other resources."""
    conditions = [f"request.resource.attr.service == {json.dumps(service)}", SAME_COMPANY]
    for code, is_platform in product(CODES, (False, True)):
        actions = [
            item.operation.lower() for item in permissions if code in holders[item] and item.platform == is_platform
        ]
        expressions = [{"expr": text} for text in (*conditions, *([OF_PLATFORM] if is_platform else []))]
        if actions:
            yield {
                "actions": actions,
                "effect": "EFFECT_ALLOW",
                "roles": [code],
                "condition": {"match": {"all": {"of": expressions}}},
            }


FORMATS: Mapping[str, Callable[[], str]] = {
    "json": as_json,
    "guardian": as_guardian,
    "cerbos": lambda: "---\n".join(as_cerbos().values()),
}


class ImportedPermissionSchema(BaseSchema):
    service = column_field(GuardianPermission.service, required=True, validate=[NAME, FOREIGN])
    resource_name = column_field(GuardianPermission.resource_name, required=True, validate=[NAME])
    operation = column_field(GuardianPermission.operation, required=True, validate=[NAME])
    description = column_field(GuardianPermission.description)


def read_catalogue(text: bytes) -> list[Permission]:
    """The permissions in a JSON list of ``{service, resource_name, operation, description}``. Raises Invalid."""
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        raise Invalid("The file is not valid JSON.") from None
    if not isinstance(rows, list):
        raise Invalid("The file must hold a JSON list.")
    try:
        values: list[dict[str, Any]] = ImportedPermissionSchema(many=True).load(rows)
    except ValidationError as error:
        raise Invalid(errors=dict(error.messages_dict)) from None
    return [Permission(**{**row, "description": row.get("description") or ""}) for row in values]
