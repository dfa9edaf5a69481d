"""Routes and declarations → an OpenAPI 3.1 document."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import Any, cast

import yaml

from app.config.settings import VERSION
from app.core.openapi.errors import error_codes
from app.core.openapi.operations import operation, tag_of
from app.core.openapi.parameters import share_parameters
from app.core.openapi.schemas import Components, Json
from app.core.web.routing import Route

DESCRIPTION = """\
Every list is paged, every item carries an ETag, every error is a problem document (RFC 9457).
Sign in with POST /auth/login; a browser then sends the HttpOnly cookie by itself, programs send
`Authorization: Bearer`. An unknown field or query parameter is refused with 400."""

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


def document(routes: Iterable[Route]) -> Json:
    """Paths, tags and components in alphabetical order. Raises ValueError for two operations of one id."""
    ordered = sorted(routes, key=lambda route: route.path)
    components = Components(error_codes(ordered))
    paths: dict[str, Json] = {}
    for route in ordered:
        path = re.sub(r"<(\w+)>", r"{\1}", route.path)
        paths.setdefault(path, {})[route.method.lower()] = operation(route, components)
    operations = [described for item in paths.values() for described in item.values()]
    _check_unique(described["operationId"] for described in operations)
    components.parameters |= share_parameters(operations)
    return {
        "openapi": "3.1.0",
        "info": INFO,
        "servers": [{"url": "/"}],
        "security": [{"cookie": []}, {"bearer": []}],
        "tags": [tag._asdict() for tag in sorted({tag_of(route.endpoint) for route in ordered})],
        "paths": paths,
        "components": components.document() | {"securitySchemes": SECURITY_SCHEMES},
    }


def _check_unique(operation_ids: Iterable[str]) -> None:
    repeated = [name for name, count in Counter(operation_ids).items() if count > 1]
    if repeated:
        raise ValueError(f"Operations of one id: {', '.join(repeated)}")


def as_yaml(spec: Json) -> str:
    text: str = yaml.dump(spec, Dumper=_Plain, sort_keys=False, allow_unicode=True, width=120)
    return text


MOST_ON_A_LINE = 110


class _Plain(yaml.SafeDumper):
    """Small values stand on one line. Numbered anchors would change all over the file with every new operation."""

    def ignore_aliases(self, _data: Any) -> bool:
        return True

    def represent_mapping(self, tag: str, mapping: Any, flow_style: bool | None = None) -> yaml.MappingNode:
        return super().represent_mapping(tag, mapping, flow_style=_is_small(mapping))

    def represent_sequence(self, tag: str, sequence: Any, flow_style: bool | None = None) -> yaml.SequenceNode:
        return super().represent_sequence(tag, sequence, flow_style=_is_small(sequence))

    def serialize(self, node: yaml.Node) -> None:
        """The document itself has a line for each of its keys, however small it is."""
        cast(yaml.MappingNode, node).flow_style = False
        super().serialize(node)


def _is_small(node: Any) -> bool:
    return len(str(node)) < MOST_ON_A_LINE
