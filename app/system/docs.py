"""The OpenAPI document, and a page that browses it without any outside resource."""

from __future__ import annotations

from flask import Response, current_app

from app.core.http import Endpoint, answer, declare
from app.core.kernel import kernel
from app.core.openapi import Json, as_yaml, document


def spec() -> Json:
    """Built once per process, on the first request for it."""
    cache = current_app.extensions
    if "openapi" not in cache:
        cache["openapi"] = document(kernel().routes)
    found: Json = cache["openapi"]
    return found


class OpenApiJson(Endpoint):
    """This document, as JSON."""

    access, path = "public", "/openapi.json"

    @declare(answer={"type": "object"})
    def get(self) -> Response:
        return answer(spec())


class OpenApiYaml(Endpoint):
    """This document, as YAML."""

    access, path = "public", "/openapi.yml"

    def get(self) -> Response:
        return Response(as_yaml(spec()), mimetype="application/yaml")
