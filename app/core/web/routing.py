"""The routes of the application."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from flask import Flask, current_app
from flask_restful import Api as RestfulApi
from marshmallow import fields
from werkzeug.routing import Rule

from app.base.permission import Permission
from app.clients.limiter import Limits
from app.core.web.declaration import Declaration
from app.core.web.endpoint import Endpoint


@dataclass(frozen=True)
class Route:
    """One method on one path, with its declarations."""

    endpoint: type[Endpoint]
    path: str
    method: str

    @property
    def is_collection(self) -> bool:
        return "<id>" not in self.path

    @property
    def permission(self) -> Permission | None:
        return self.endpoint.permission_of(self.method, collection=self.is_collection)

    @property
    def declaration(self) -> Declaration:
        return self.endpoint.declaration_of(self.method, collection=self.is_collection)

    @property
    def parameters(self) -> Mapping[str, fields.Field[Any]]:
        return self.endpoint.parameters_of(self.method, collection=self.is_collection)


class MatchedRule(Rule):
    """A rule that builds no URL. Compiling every rule's builder takes half the time of creating an application."""

    def _compile_builder(self, append_unknown: bool = True) -> Any:
        return lambda _rule, **_values: None


class Api(RestfulApi):
    """Flask-RESTful for routing only: the application's own handlers receive all errors."""

    def error_router(self, original_handler: Callable[..., Any], e: Exception) -> Any:
        return original_handler(e)

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._limits: Limits = app.extensions["identity"].limits
        self._routes: list[Route] = app.extensions.setdefault("routes", [])

    def mount(self, endpoint: type[Endpoint], *, without: str = "") -> None:
        """Add the endpoint's routes, with the prefix ``without`` removed from their paths."""
        for full, methods in endpoint.paths():
            path = full.removeprefix(without)
            # A decorator on the class of a Flask-RESTful resource has no effect; these wrap its view.
            limit = partial(self._limits.over, limits=endpoint.limits, ipv4_prefix=endpoint.limited_prefix)
            self.decorators = [partial(limit, exempt=endpoint.is_unlimited)]
            self.add_resource(endpoint, path, endpoint=f"{endpoint.__name__} {path}", methods=methods)
            self._routes += [Route(endpoint, path, method) for method in methods]


def mounted_routes() -> list[Route]:
    routes: list[Route] = current_app.extensions["routes"]
    return routes
