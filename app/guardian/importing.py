"""Permissions of another service, from a file; the embedded engine then decides about them too."""

import json
from typing import Any

from marshmallow import ValidationError, validate

from app.base.errors import Invalid
from app.base.permission import Permission
from app.core.wire.schema import BaseSchema, column_field
from app.guardian.models import GuardianPermission

OWN_SERVICES = ("identity", "guardian")
# Permissions are written service:resource:operation, and their ids derive from these names.
NAME = validate.Regexp(r"[A-Za-z0-9][A-Za-z0-9_.-]*\Z", error="Only letters, digits and _ . - make a name.")
FOREIGN = validate.NoneOf(OWN_SERVICES, error="This service's own permissions come with it.")


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
