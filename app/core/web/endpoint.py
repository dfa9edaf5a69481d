"""The life of a request: authenticate, ask the policy engine, bind the tenant, run, answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from flask import Response, request
from flask_restful import Resource
from marshmallow import ValidationError, fields

from app.base.errors import Forbidden, Invalid
from app.base.permission import Permission
from app.base.text import parse_id
from app.core.db.transaction import company_transaction
from app.core.services import services
from app.core.web.body import receive_body
from app.core.web.declaration import Declaration
from app.core.web.default_roles import DefaultRoles, declare_default_roles
from app.core.web.permission import require, resource_id_of
from app.core.web.principal import principal
from app.core.wire.parameters import single_values

OPERATIONS = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "PATCH": "UPDATE", "DELETE": "DELETE"}
UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})


class PasswordChangeRequired(Forbidden):
    code, message = "PASSWORD_CHANGE_REQUIRED", "The password must be changed first."


class Endpoint(Resource):
    """One path. A class states a ``permission`` or that it is ``public`` or ``self``, or fails at import.

    ``public``: nobody is authenticated, and no transaction is opened. ``self``: the caller's own
    things; the engine is not asked. ``item`` is the part of the path that is the resource's own id,
    empty where none is. ``platform`` names methods that only platform users may use.
    ``revalidated``: GET carries an ETag and answers 304. ``limits``: how often one client may ask, such as
    ``50/hour;200/day``; all methods of the path count together. ``default_roles`` are those that hold the
    permission in a new company; one declaration is enough for all endpoints of a permission.
    ``also_required`` are permissions that a method asks for besides. ``moved``: what the path names may have
    been merged into another, and GET then answers 307.
    """

    path: ClassVar[str]
    is_abstract: ClassVar[bool] = True
    access: ClassVar[str] = ""
    permission: ClassVar[str] = ""
    item: ClassVar[str] = "id"
    service: ClassVar[str] = "identity"
    operations: ClassVar[Mapping[str, str]] = OPERATIONS
    platform: ClassVar[frozenset[str]] = frozenset()
    default_roles: ClassVar[DefaultRoles | None] = None
    also_required: ClassVar[tuple[Permission, ...]] = ()
    moved: ClassVar[bool] = False
    parameters: ClassVar[Mapping[str, Mapping[str, fields.Field[Any]]]] = {}
    own_transaction: ClassVar[bool] = False
    usable_before_password_change: ClassVar[bool] = False
    revalidated: ClassVar[bool] = False
    limits: ClassVar[str] = ""
    tag: ClassVar[str] = ""
    operation_ids: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.is_abstract = abstract
        if not abstract and bool(cls.permission) == (cls.access in ("public", "self")):
            raise TypeError(f"{cls.__name__} must state a permission, or that it is public or self.")
        if cls.default_roles is not None:
            declare_default_roles(cls.service, cls.permission, cls.default_roles)

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
    def permissions(cls) -> set[Permission]:
        """All that its methods ask for."""
        methods = [(method, "<id>" not in path) for path, methods in cls.paths() for method in methods]
        required = {cls.permission_of(method, collection=collection) for method, collection in methods}
        return {permission for permission in (*required, *cls.also_required) if permission}

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        declared: Declaration = getattr(cls, method.lower()).declaration
        has_version = (cls.revalidated and method == "GET") or 412 in declared.errors
        operation_id = cls.operation_ids.get(method, declared.operation_id)
        return replace(declared, operation_id=operation_id, has_version=has_version)

    @classmethod
    def error_codes(cls) -> Iterable[str]:
        """Codes of errors that are not those of a class."""
        return ()

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
        if request.method in UNSAFE_METHODS:
            # A body that trickles in must not hold a connection; on SQLite it would be the one writer's.
            receive_body()
        with self.transaction():
            return handler(**ids)  # type: ignore[no-any-return]

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hook: the caller's tenant unless the endpoint is about another."""
        with company_transaction(principal().company_id, writes=request.method in UNSAFE_METHODS):
            yield

    def admit(self, *, collection: bool, resource_id: str) -> None:
        """401, then CSRF, then 403 of the engine, then 403 of a rule beyond it."""
        authenticator = services().authenticator
        if self.access == "public":
            authenticator.check_origin()
            return
        caller = authenticator.authenticate()
        authenticator.check_origin()
        if caller.password_reset_required and not self.usable_before_password_change:
            raise PasswordChangeRequired()
        method = "GET" if request.method == "HEAD" else request.method
        needed = self.permission_of(method, collection=collection)
        if needed is not None:
            asked = {"service": needed.service, "within": self.nested_in(), "resource_id": resource_id}
            require(needed.resource_name, needed.operation, **asked)
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
