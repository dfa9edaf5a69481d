"""Routes and declarations → an OpenAPI 3.1 document."""

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import yaml

from app.base.errors import known_codes
from app.config.settings import VERSION
from app.core.openapi.operations import describe_operation, find_tag
from app.core.openapi.parameters import share_parameters
from app.core.openapi.schemas import Components, Json
from app.core.web.problems import HTTP_CODES
from app.core.web.routing import Route

DESCRIPTION = """\
Lists are paged, items carry an ETag, and errors are problem documents (RFC 9457). \
Sign in with POST /auth/login. A browser then sends the HttpOnly cookie by itself; programs send \
`Authorization: Bearer`. Unknown fields and query parameters are refused with 400; one's own company_id, and in a \
creation the ids in the path, may be repeated."""

INFO: Json = {
    "title": "Identity Service API",
    "version": VERSION,
    "description": DESCRIPTION,
    "license": {"name": "AGPL-3.0-or-later", "identifier": "AGPL-3.0-or-later"},
}
SECURITY_SCHEMES: Json = {
    "cookie": {"type": "apiKey", "in": "cookie", "name": "access_token"},
    "bearer": {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
}


def build_document(routes: Iterable[Route]) -> Json:
    """Paths, tags and components in alphabetical order. Raises ValueError if two operations have one id."""
    ordered = sorted(routes, key=lambda route: route.path)
    components = Components(_error_codes(ordered))
    paths: dict[str, Json] = {}
    for route in ordered:
        path = re.sub(r"<(\w+)>", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = describe_operation(route, components)
    operations = [operation for item in paths.values() for operation in item.values()]
    _check_unique(operation["operationId"] for operation in operations)
    components.parameters |= share_parameters(operations)
    tags = {find_tag(route.endpoint) for route in ordered}
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "security": [{"cookie": []}, {"bearer": []}],
        "tags": [{"name": name, "description": text} for name, text in sorted(tags)],
        "paths": paths,
        "components": components.by_section() | {"securitySchemes": SECURITY_SCHEMES},
    }


def _error_codes(routes: Iterable[Route]) -> list[str]:
    endpoint_codes = {code for endpoint in {route.endpoint for route in routes} for code in endpoint.error_codes()}
    return sorted({*known_codes(), *HTTP_CODES.values(), *endpoint_codes})


def _check_unique(operation_ids: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(operation_ids).items() if count > 1]
    if repeated:
        raise ValueError(f"Several operations have one id: {', '.join(repeated)}")


def dump_yaml(spec: Json) -> str:
    text: str = yaml.dump(spec, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
    return text


MOST_ON_A_LINE = 110


class _Dumper(yaml.SafeDumper):
    """Writes small values on one line, and no anchors: a new operation would renumber all of them."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        return super().represent_mapping(tag, mapping, flow_style=_is_small(mapping))

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=_is_small(sequence))

    def serialize(self, node: yaml.Node) -> None:
        """Write each key of the document on a line of its own, even in a small document."""
        cast(yaml.MappingNode, node).flow_style = False
        super().serialize(node)


def _is_small(node: Any) -> bool:
    return len(str(node)) < MOST_ON_A_LINE
