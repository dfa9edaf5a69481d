"""The catalogue of permissions, written for other engines."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

import yaml

from app.base.permission import Permission
from app.base.roles import ADMINISTRATOR, CUSTOMER, MANAGER, VIEWER
from app.core.services import services
from app.guardian.service import defaults_of

Json = dict[str, Any]
CODES = (ADMINISTRATOR, MANAGER, VIEWER, CUSTOMER)
"""The default roles."""
SAME_COMPANY = "request.resource.attr.company_id == request.principal.attr.company_id"
HEAD = "# Written by: flask guardian catalogue --format cerbos\n"


def as_json() -> str:
    """Every permission with what is known of it: ``roles`` are the default roles that hold it."""
    holding = _holding()
    rows = [
        {
            "service": each.service,
            "resource_name": each.resource_name,
            "operation": each.operation,
            "platform": each.platform,
            "roles": holding[each],
        }
        for each in sorted(services().catalogue)
    ]
    return json.dumps(rows, indent=2) + "\n"


def as_guardian() -> str:
    """The permissions as a Guardian keeps them, and as ``flask guardian import`` reads them."""
    rows = [
        {
            "service": each.service,
            "resource_name": each.resource_name,
            "operation": each.operation,
            "description": each.description or None,
        }
        for each in sorted(services().catalogue)
    ]
    return json.dumps(rows, indent=2) + "\n"


def as_cerbos() -> dict[str, str]:
    """A resource policy for each kind of resource, by the name of its file."""
    ordered = sorted(services().catalogue, key=lambda each: (each.resource_name, each.service, each.operation))
    kinds = groupby(ordered, key=lambda each: each.resource_name)
    holding = _holding()
    return {f"{kind}.yaml": HEAD + _yaml(_policy(kind, list(held), holding)) for kind, held in kinds}


def _holding() -> Mapping[Permission, list[str]]:
    """The default roles that hold each permission; the administrator's means every one."""
    held = {code: set(services().catalogue if code == ADMINISTRATOR else defaults_of(code)) for code in CODES}
    return {each: [code for code in CODES if each in held[code]] for each in services().catalogue}


def _policy(kind: str, permissions: list[Permission], holding: Mapping[Permission, list[str]]) -> Json:
    services = groupby(permissions, key=lambda each: each.service)
    rules = [rule for service, held in services for rule in _rules(service, list(held), holding)]
    return {
        "apiVersion": "api.cerbos.dev/v1",
        "resourcePolicy": {"resource": kind, "version": "default", "rules": rules},
    }


def _rules(service: str, permissions: Iterable[Permission], holding: Mapping[Permission, list[str]]) -> Iterator[Json]:
    """Two services may use one name for different things: each rule is for one of them."""
    conditions = [{"expr": f"request.resource.attr.service == {json.dumps(service)}"}, {"expr": SAME_COMPANY}]
    for code in CODES:
        actions = [each.operation.lower() for each in permissions if code in holding[each]]
        if actions:
            yield {
                "actions": ["*"] if code == ADMINISTRATOR else actions,
                "effect": "EFFECT_ALLOW",
                "roles": [code],
                "condition": {"match": {"all": {"of": list(conditions)}}},
            }


class _NoAliases(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        return True


def _yaml(document: Json) -> str:
    return yaml.dump(document, Dumper=_NoAliases, sort_keys=False)


FORMATS: Mapping[str, Callable[[], str]] = {
    "json": as_json,
    "guardian": as_guardian,
    "cerbos": lambda: "---\n".join(as_cerbos().values()),
}
