"""The life of a request: authenticate, ask the policy engine, bind the tenant, run, answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar, NoReturn

import orjson
from flask import Flask, Response, current_app, request
from flask_restful import Api as RestfulApi
from flask_restful import Resource
from marshmallow import ValidationError, fields
from werkzeug.exceptions import RequestEntityTooLarge

from app.base.errors import BadRequest, Forbidden, Invalid, MalformedJson, UnsupportedMediaType
from app.base.permission import Permission
from app.base.text import CONTROL, parse_id
from app.clients.limiter import Limits
from app.core.crud.filters import single_values
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import kernel
from app.core.web.permission import ask, resource_id_of
from app.core.web.principal import principal
from app.core.wire.schema import BaseSchema

OPERATIONS = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "PATCH": "UPDATE", "DELETE": "DELETE"}
UNSAFE = frozenset({"POST", "PUT", "PATCH", "DELETE"})
JSON_OPTIONS = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


@dataclass(frozen=True)
class Declaration:
    """What a method takes and gives, for openapi.yml and nothing else. ``upload`` is the file part of a form."""

    body: BaseSchema | None = None
    answer: BaseSchema | dict[str, Any] | None = None
    status: int = 200
    errors: tuple[int, ...] = ()
    media: tuple[str, ...] = ("application/json",)
    also: tuple[int, ...] = ()
    upload: str = ""


def declare(
    *,
    body: BaseSchema | None = None,
    answer: BaseSchema | dict[str, Any] | None = None,
    status: int = 200,
    errors: Iterable[int] = (),
    media: Iterable[str] = ("application/json",),
    also: Iterable[int] = (),
    upload: str = "",
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declare a method of a hand-written endpoint. ``answer`` is a schema or a JSON schema; statuses
    in ``also`` carry it too. With ``upload``, the body is a form of its fields and that file."""
    declared = Declaration(body, answer, status, tuple(errors), tuple(media), tuple(also), upload)

    def mark(method: Callable[..., Any]) -> Callable[..., Any]:
        method.declaration = declared  # type: ignore[attr-defined]
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
    things; the engine is not asked. ``item`` is the part of the path that is the resource's own id,
    empty where none is. ``platform`` names methods that only platform users may use.
    ``revalidated``: GET carries an ETag and answers 304. ``limits``: how often one client may ask, such as
    ``50/hour;200/day``; all methods of the path count together.
    """

    path: ClassVar[str]
    is_abstract: ClassVar[bool] = True
    access: ClassVar[str] = ""
    permission: ClassVar[str] = ""
    item: ClassVar[str] = "id"
    service: ClassVar[str] = "identity"
    operations: ClassVar[Mapping[str, str]] = OPERATIONS
    platform: ClassVar[frozenset[str]] = frozenset()
    parameters: ClassVar[Mapping[str, Mapping[str, fields.Field[Any]]]] = {}
    own_transaction: ClassVar[bool] = False
    usable_before_password_change: ClassVar[bool] = False
    revalidated: ClassVar[bool] = False
    limits: ClassVar[str] = ""

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.is_abstract = abstract
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
    def declaration_of(cls, method: str) -> Declaration:
        found: Declaration | None = getattr(getattr(cls, method.lower()), "declaration", None)
        return found or Declaration(status=204)

    @classmethod
    def nested_in(cls) -> str:
        """The kind of the parent in the path, for engines that tell nested lists apart."""
        return ""

    @classmethod
    def parameters_of(cls, method: str, *, collection: bool) -> Mapping[str, fields.Field[Any]]:
        """The query parameters of a method, by name."""
        return cls.parameters.get("GET" if method == "HEAD" else method, {})

    @classmethod
    def is_unlimited(cls) -> bool:
        """Hook: whether the current request does not count."""
        return False

    def dispatch_request(self, **path: str) -> Response:
        handler = getattr(self, "get" if request.method == "HEAD" else request.method.lower())
        self.admit(collection="id" not in path, resource_id=resource_id_of(path.get(self.item)))
        ids = {name: parse_id(text) if is_id(name) else text for name, text in path.items()}
        self.check_parameters()
        if self.access == "public" or self.own_transaction:
            return handler(**ids)  # type: ignore[no-any-return]
        self.before(**ids)
        if request.method in UNSAFE:
            # A body that trickles in must not hold a connection; on SQLite it would be the one writer's.
            received()
        with self.transaction():
            return handler(**ids)  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hook: the caller's tenant unless the endpoint is about another."""
        with tenant(principal().company_id), unit_of_work(writes=request.method in UNSAFE):
            yield

    def admit(self, *, collection: bool, resource_id: str) -> None:
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
            asked = {"service": needed.service, "within": self.nested_in(), "resource_id": resource_id}
            ask(needed.resource_name, needed.operation, **asked)
        if method in self.platform and not caller.is_platform:
            raise Forbidden("Only the platform company's users may do this.")

    def check_parameters(self) -> None:
        """Loads the declared query parameters into ``self.params``. Raises Invalid."""
        allowed = self.parameters_of(request.method, collection="id" not in (request.view_args or {}))
        given = single_values(dict(request.args.lists()), tuple(allowed))
        self.params: dict[str, Any] = {name: _loaded(name, allowed[name], given[name]) for name in given}

    def before(self, **ids: Any) -> None:
        """Hook: what must happen outside the transaction (hashing, network), after the permission."""


def is_id(name: str) -> bool:
    """Whether a parameter of a path is an id; any other is passed on as it stands."""
    return name == "id" or name.endswith("_id")


def _loaded(name: str, field: fields.Field[Any], text: str) -> Any:
    try:
        return field.deserialize(text)
    except ValidationError as error:
        raise Invalid(errors={name: error.messages}) from None


def answer(data: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """JSON; UUIDs and aware times are written as 01 says."""
    found = Response(orjson.dumps(data, option=JSON_OPTIONS), status, mimetype="application/json")
    if headers:
        found.headers.update(headers)
    return found


def no_content() -> Response:
    return Response(status=204)


def received() -> bytes:
    """The body as it came. Raises RequestEntityTooLarge."""
    limit = current_app.config["MAX_CONTENT_LENGTH"]
    if request.content_length is None:
        # A chunked body that is longer would not be refused by werkzeug, but cut off.
        request.max_content_length = limit + 1
    found = request.get_data()
    if len(found) > limit:
        raise RequestEntityTooLarge()
    return found


def body() -> dict[str, Any]:
    """The JSON object of the request. Raises UnsupportedMediaType, MalformedJson, BadRequest."""
    if request.mimetype != "application/json":
        raise UnsupportedMediaType()
    try:
        # RFC 8259 section 8.1: UTF-8 and nothing else.
        found = json.loads(received().decode(), object_pairs_hook=_once, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise MalformedJson() from None
    if not isinstance(found, dict):
        raise BadRequest("The body must be a JSON object.")
    return found


def optional_body() -> dict[str, Any]:
    """As ``body``, but an empty request is an empty object."""
    return body() if received() else {}


MAX_MEMBERS = 500
"""Of one JSON object: each unknown one would cost a message in the answer."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(pairs) > MAX_MEMBERS:
        raise ValueError("too many members")
    found = dict(pairs)
    if len(found) != len(pairs) or any(CONTROL.search(name) for name in found):
        raise ValueError("a name stands twice, or cannot be repeated in an answer")
    return found


def _refuse(constant: str) -> NoReturn:
    raise ValueError(constant)


class Api(RestfulApi):
    """Flask-RESTful for routing only: errors reach the one handler table of the application."""

    def error_router(self, original_handler: Callable[..., Any], e: Exception) -> Any:
        return original_handler(e)

    def __init__(self, app: Flask) -> None:
        super().__init__(app)
        self._limits: Limits = app.extensions["identity"].limits
        self.routes: list[Route] = []

    def mount(self, endpoint: type[Endpoint], *, without: str = "") -> None:
        """Add the endpoint's routes to the application, with the beginning of their paths left out."""
        for full, methods in endpoint.paths():
            path = full.removeprefix(without)
            # Decorating the class of a Flask-RESTful resource does nothing; these go around its view.
            self.decorators = [partial(self._limits.over, limits=endpoint.limits, exempt=endpoint.is_unlimited)]
            self.add_resource(endpoint, path, endpoint=f"{endpoint.__name__} {path}", methods=methods)
            self.routes += [Route(endpoint, path, method) for method in methods]
