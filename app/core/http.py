"""The life of a request: authenticate, ask the policy engine, bind the tenant, run, answer."""

from __future__ import annotations

import json
import re
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar, NoReturn

import orjson
from flask import Flask, Response, current_app, g, request
from flask_restful import Api as RestfulApi
from flask_restful import Resource
from marshmallow import ValidationError, fields
from werkzeug.exceptions import HTTPException, MethodNotAllowed
from werkzeug.exceptions import NotFound as RouteNotFound

from app.clients.guardian import Question
from app.config import Settings
from app.core.auth import principal
from app.core.db import unit_of_work
from app.core.errors import (
    BadRequest,
    Forbidden,
    Invalid,
    MalformedJson,
    UnsupportedMediaType,
    render_http,
)
from app.core.kernel import Permission, kernel
from app.core.query import single_values
from app.core.schema import BaseSchema, parse_id
from app.core.tenancy import tenant

OPERATIONS = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "PATCH": "UPDATE", "DELETE": "DELETE"}
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Declaration:
    """What a method takes and gives, for openapi.yml and nothing else."""

    body: BaseSchema | None = None
    answer: BaseSchema | dict[str, Any] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()


def declare(
    *,
    body: BaseSchema | None = None,
    answer: BaseSchema | dict[str, Any] | None = None,
    status: int = 200,
    errors: Iterable[int] = (),
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method of a hand-written endpoint. ``answer`` is a schema or a JSON schema."""

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.declaration = Declaration(body, answer, status, tuple(errors))  # type: ignore[attr-defined]
        return method

    return mark


@dataclass(frozen=True)
class Route:
    """One method on one path, and all that is declared of it."""

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
    def parameters(self) -> Mapping[str, fields.Field[Any]]:
        return self.endpoint.parameters_of(self.method, collection=self.is_collection)


class Endpoint(Resource):
    """One path. A class states a ``permission`` or that it is ``public`` or ``self``, or fails at import.

    ``public``: nobody is authenticated, and no transaction is opened. ``self``: the caller's own
    things; the engine is not asked. ``platform`` names methods that only platform users may use.
    """

    path: ClassVar[str]
    access: ClassVar[str] = ""
    permission: ClassVar[str] = ""
    service: ClassVar[str] = "identity"
    operations: ClassVar[Mapping[str, str]] = OPERATIONS
    platform: ClassVar[frozenset[str]] = frozenset()
    parameters: ClassVar[Mapping[str, Mapping[str, fields.Field[Any]]]] = {}
    own_transaction: ClassVar[bool] = False
    usable_before_password_change: ClassVar[bool] = False

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        if not abstract and bool(cls.permission) == (cls.access in ("public", "self")):
            raise TypeError(f"{cls.__name__} must state a permission, or that it is public or self.")

    @classmethod
    def paths(cls) -> list[tuple[str, list[str]]]:
        """Each path with its methods."""
        return [(cls.path, sorted(cls.methods or ()))]

    @classmethod
    def permission_of(cls, method: str, *, collection: bool) -> Permission | None:
        """What a method asks the engine; ``collection`` is True on a path that ends in no id."""
        if not cls.permission:
            return None
        return Permission(cls.service, cls.permission, cls.operations[method], method in cls.platform)

    @classmethod
    def nested_in(cls) -> str:
        """The kind of the parent in the path, for engines that tell nested lists apart."""
        return ""

    @classmethod
    def parameters_of(cls, method: str, *, collection: bool) -> Mapping[str, fields.Field[Any]]:
        """The query parameters of a method, by name."""
        return cls.parameters.get("GET" if method == "HEAD" else method, {})

    def dispatch_request(self, **path: str) -> Response:
        handler = getattr(self, "get" if request.method == "HEAD" else request.method.lower())
        self.admit(collection="id" not in path)
        ids = {name: parse_id(text) for name, text in path.items()}
        self.check_parameters()
        if self.access == "public" or self.own_transaction:
            return handler(**ids)  # type: ignore[no-any-return]
        self.before(**ids)
        with self.transaction():
            return handler(**ids)  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hook: the caller's tenant unless the endpoint is about another."""
        with tenant(principal().company_id), unit_of_work(writes=request.method in UNSAFE):
            yield

    def admit(self, *, collection: bool) -> None:
        """401, then CSRF, then 403 of the engine, then 403 of a rule beyond it."""
        authenticator = kernel().authenticator
        if self.access == "public":
            authenticator.check_origin()
            return
        caller = authenticator.authenticate()
        authenticator.check_origin()
        if caller.password_reset_required and not self.usable_before_password_change:
            raise Forbidden("The password must be changed first.", code="PASSWORD_CHANGE_REQUIRED")
        method = "GET" if request.method == "HEAD" else request.method
        needed = self.permission_of(method, collection=collection)
        if needed is not None:
            ask(needed.resource_name, needed.operation, service=needed.service, within=self.nested_in())
        if method in self.platform and not caller.is_platform:
            raise Forbidden("Only the platform company's users may do this.")

    def check_parameters(self) -> None:
        """Loads the declared query parameters into ``self.params``. Raises Invalid."""
        allowed = self.parameters_of(request.method, collection="id" not in (request.view_args or {}))
        given = single_values(dict(request.args.lists()), tuple(allowed))
        self.params: dict[str, Any] = {name: _loaded(name, allowed[name], given[name]) for name in given}

    def before(self, **ids: Any) -> None:
        """Hook: what must happen outside the transaction (hashing, network), after the permission."""


def _loaded(name: str, field: fields.Field[Any], text: str) -> Any:
    try:
        return field.deserialize(text)
    except ValidationError as error:
        raise Invalid(errors={name: error.messages}) from None


def ask(resource_name: str, operation: str, *, service: str = "identity", within: str = "") -> None:
    """Ask the engine, each question once per request. Raises what the engine's client raises."""
    asked: set[Question] = g.setdefault("asked", set())
    caller = principal()
    question = Question(caller.user_id, caller.company_id, resource_name, operation, within, service)
    if question in asked:
        return
    kernel().engine.check(question, token=caller.token, request_id=g.request_id)
    asked.add(question)


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON; UUIDs and aware times are written as 01 says."""
    found = Response(orjson.dumps(data, option=JSON_OPTIONS), status, mimetype="application/json")
    if headers:
        found.headers.update(headers)
    return found


def no_content() -> Response:
    return Response(status=204)


def body() -> dict[str, Any]:
    """The JSON object of the request. Raises UnsupportedMediaType, MalformedJson, BadRequest."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType()
    try:
        found = json.loads(request.get_data(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedJson() from None
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


def optional_body() -> dict[str, Any]:
    """As ``body``, but an empty request is an empty object."""
    return body() if request.get_data(cache=True) else {}


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a name stands twice")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


class Api(RestfulApi):
    """Flask-RESTful for routing only: errors reach the one handler table of the application."""

    def error_router(self, original_handler: Callable[..., Any], e: Exception) -> Any:
        return original_handler(e)

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self.routes: list[Route] = []

    def mount(self, endpoint: type[Endpoint]) -> None:
        """Add the endpoint's routes to the application."""
        for path, methods in endpoint.paths():
            self.add_resource(endpoint, path, endpoint=f"{endpoint.__name__} {path}", methods=methods)
            self.routes += [Route(endpoint, path, method) for method in methods]


REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Cache-Control": "no-store",
}
EXPOSED = "ETag, Location, X-Request-ID, Retry-After"


def install(app: Flask, settings: Settings) -> None:
    app.url_map.merge_slashes = False
    app.before_request(_name_request)
    app.after_request(_headers(settings))
    app.register_error_handler(RouteNotFound, _without_slash)


def _name_request() -> None:
    given = request.headers.get("X-Request-ID", "")
    g.request_id = given if REQUEST_ID.fullmatch(given) else secrets.token_hex(16)


def _headers(settings: Settings) -> Callable[[Response], Response]:
    fixed = dict(HEADERS)
    fixed["Cross-Origin-Resource-Policy"] = "same-site" if settings.cors_origins else "same-origin"
    if settings.flask_env == "production":
        fixed["Strict-Transport-Security"] = "max-age=31536000; includeSubDomains"

    def add(found: Response) -> Response:
        headers = found.headers
        for name, value in fixed.items():
            if name not in headers:
                headers[name] = value
        headers["X-Request-ID"] = g.get("request_id", "")
        if settings.cors_origins:
            _allow_origin(found, settings)
        return found

    return add


def _allow_origin(found: Response, settings: Settings) -> None:
    found.vary.add("Origin")
    origin = request.headers.get("Origin")
    if origin not in settings.cors_origins:
        return
    found.headers["Access-Control-Allow-Origin"] = origin
    found.headers["Access-Control-Allow-Credentials"] = "true"
    found.headers["Access-Control-Expose-Headers"] = EXPOSED
    if request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers:
        found.headers["Access-Control-Allow-Methods"] = "GET, POST, PUT, PATCH, DELETE"
        found.headers["Access-Control-Allow-Headers"] = "Authorization, Content-Type, If-Match, If-None-Match, X-Request-ID"
        found.headers["Access-Control-Max-Age"] = "600"


def _without_slash(error: RouteNotFound) -> Any:
    """308 to the path without its trailing slash, when that path exists (werkzeug only adds slashes)."""
    path = request.path.rstrip("/")
    if request.path.endswith("/") and path and _exists(path):
        query = f"?{request.query_string.decode('ascii', 'replace')}" if request.query_string else ""
        return Response(status=308, headers={"Location": request.script_root + path + query})
    return render_http(error)


def _exists(path: str) -> bool:
    try:
        current_app.url_map.bind("").match(path, method=request.method)
    except MethodNotAllowed:
        return True
    except HTTPException:
        return False
    return True
