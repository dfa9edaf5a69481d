"""The path of a request: authenticate, ask the policy engine, bind the tenant, run, answer."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, ClassVar

from flask import Response, current_app, request
from flask_restful import Resource
from marshmallow import ValidationError, fields

from app.base.errors import ApiError, Forbidden, Invalid
from app.base.permission import Permission
from app.base.text import parse_id
from app.core.db.transaction import company_transaction
from app.core.services import services
from app.core.web.body import json_body, optional_json_body, receive_body
from app.core.web.declaration import Declaration
from app.core.web.default_roles import DefaultRoles, declare_default_roles
from app.core.web.permission import require, resource_id_of
from app.core.web.principal import principal
from app.core.wire.forms import is_form
from app.core.wire.query import parse_parameters
from app.core.wire.schema import BaseSchema
from app.core.wire.stream import KB

OPERATIONS = {"GET": "READ", "POST": "CREATE", "PUT": "UPDATE", "PATCH": "UPDATE", "DELETE": "DELETE"}
UNSAFE_METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
PUBLIC_BYTES = 16 * KB
"""The largest body from a caller who need not be known."""


class PasswordChangeRequired(Forbidden):
    code, message = "PASSWORD_CHANGE_REQUIRED", "The password must be changed first."


class Endpoint(Resource):
    """One path, with either a ``permission`` or the ``access`` ``public`` or ``self``.

    ``public`` authenticates nobody and opens no transaction. ``self`` is for the caller's own things, without a
    question to the policy engine. ``item`` names the path parameter that is the resource's own id; it may be empty.
    ``platform`` lists methods for platform users only. With ``revalidated``, GET sends an ETag and may answer 304.
    ``limits`` bounds the requests of one client, such as ``50/hour;200/day``, over all methods of the path. A client
    is an IPv4 network of ``limited_prefix`` bits, or a /64.
    ``default_roles`` hold the permission in a new company; one endpoint of a permission declares them for all.
    ``also_required`` lists further permissions of a method. With ``moved``, GET answers 307 for a merged resource.
    ``forms`` lists methods that may have a form as their body, and receive it themselves. ``bodies`` has the schema
    of each method whose body is loaded before the transaction, for ``body``.
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
    forms: ClassVar[frozenset[str]] = frozenset()
    bodies: ClassVar[Mapping[str, BaseSchema]] = {}
    parameters: ClassVar[Mapping[str, Mapping[str, fields.Field[Any]]]] = {}
    own_transaction: ClassVar[bool] = False
    usable_before_password_change: ClassVar[bool] = False
    revalidated: ClassVar[bool] = False
    limits: ClassVar[str] = ""
    limited_prefix: ClassVar[int] = 32
    tag: ClassVar[str] = ""
    operation_ids: ClassVar[Mapping[str, str]] = {}

    def __init_subclass__(cls, *, abstract: bool = False, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.is_abstract = abstract
        if not abstract and bool(cls.permission) == (cls.access in ("public", "self")):
            raise TypeError(f"{cls.__name__} must state a permission, or that it is public or self.")
        if cls.default_roles is not None and not abstract:
            declare_default_roles(cls.service, cls.permission, cls.default_roles)

    @classmethod
    def paths(cls) -> list[tuple[str, list[str]]]:
        """Each path with its methods."""
        return [(cls.path, sorted(cls.methods or ()))]

    @classmethod
    def permission_of(cls, method: str, *, collection: bool) -> Permission | None:
        """The permission of a method; ``collection`` is True for a path without ``<id>``."""
        if not cls.permission:
            return None
        return Permission(cls.service, cls.permission, cls.operations[method], method in cls.platform)

    @classmethod
    def permissions(cls) -> set[Permission]:
        methods = [(method, "<id>" not in path) for path, methods in cls.paths() for method in methods]
        required = {cls.permission_of(method, collection=collection) for method, collection in methods}
        return {permission for permission in (*required, *cls.also_required) if permission}

    @classmethod
    def declaration_of(cls, method: str, *, collection: bool) -> Declaration:
        declaration: Declaration = getattr(cls, method.lower()).declaration
        has_version = (cls.revalidated and method == "GET") or 412 in declaration.errors
        operation_id = cls.operation_ids.get(method, declaration.operation_id)
        return replace(declaration, operation_id=operation_id, has_version=has_version)

    @classmethod
    def error_codes(cls) -> Iterable[str]:
        """Error codes that no class of errors declares."""
        return ()

    @classmethod
    def parent_kind(cls) -> str:
        """The kind of the parent in the path. Some engines distinguish nested lists by it."""
        return ""

    @classmethod
    def parameters_of(cls, method: str, *, collection: bool) -> Mapping[str, fields.Field[Any]]:
        return cls.parameters.get("GET" if method == "HEAD" else method, {})

    @classmethod
    def is_unlimited(cls) -> bool:
        """Hook: whether the limits ignore the current request."""
        return False

    def precedes_password_change(self) -> bool:
        """Hook: whether the current request may come before a required change of the password."""
        return self.usable_before_password_change

    def dispatch_request(self, **path: str) -> Response:
        handler: Callable[..., Response] = getattr(self, "get" if request.method == "HEAD" else request.method.lower())
        self.admit(collection="id" not in path, resource_id=resource_id_of(path.get(self.item)))
        ids = {name: parse_id(text) if is_id(name) else text for name, text in path.items()}
        self.check_parameters()
        if request.method in UNSAFE_METHODS and not (request.method in self.forms and is_form()):
            # Nothing is executed before the end of the body. A slow one must hold no database connection.
            most_bytes: int = current_app.config["MAX_JSON_LENGTH"]
            receive_body(min(most_bytes, PUBLIC_BYTES) if self.access == "public" else most_bytes)
        if self.access == "public" or self.own_transaction:
            return handler(**ids)
        self.before(**ids)
        if schema := self.bodies.get(request.method):
            self.load_body(schema, partial=bool(schema.partial))
        with self.transaction():
            return handler(**ids)

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Hook: the transaction around the method, in the caller's tenant by default."""
        with company_transaction(principal().company_id, writes=request.method in UNSAFE_METHODS):
            yield

    def admit(self, *, collection: bool, resource_id: str) -> None:
        """Check the caller, the origin, the permission and ``platform``, in this order. Raises 401, then 403."""
        authenticator = services().authenticator
        if self.access == "public":
            authenticator.check_origin()
            return
        caller = authenticator.authenticate()
        authenticator.check_origin()
        if caller.password_reset_required and not self.precedes_password_change():
            raise PasswordChangeRequired()
        method = "GET" if request.method == "HEAD" else request.method
        permission = self.permission_of(method, collection=collection)
        if permission is not None:
            context = {"service": permission.service, "parent_kind": self.parent_kind(), "resource_id": resource_id}
            require(permission.resource_name, permission.operation, **context)
        if method in self.platform and not caller.is_platform:
            raise Forbidden("Only the platform company's users may do this.")

    def check_parameters(self) -> None:
        """Load the declared query parameters into ``self.params``. Raises Invalid."""
        allowed = self.parameters_of(request.method, collection="id" not in (request.view_args or {}))
        parameters = parse_parameters(dict(request.args.lists()), tuple(allowed))
        self.params: dict[str, Any] = {name: _load(name, allowed[name], texts[0]) for name, texts in parameters.items()}

    def load_body(self, schema: BaseSchema, *, partial: bool = False) -> None:
        """Load the body for ``body``. An absent one is empty if the schema requires nothing."""
        read = optional_json_body if schema.is_satisfied_by_nothing and not partial else json_body
        try:
            self._body: dict[str, Any] | ApiError = schema.checked(read(), partial=partial)
        except ApiError as error:
            self._body = error

    def body(self) -> dict[str, Any]:
        """The loaded values. Raises what loading raised, which the faults of the path precede."""
        if isinstance(self._body, ApiError):
            raise self._body
        return self._body

    def before(self, **ids: Any) -> None:
        """Hook: work outside the transaction, such as hashing and network calls; the permission is granted by then."""


def is_id(name: str) -> bool:
    """Whether a path parameter is an id. Others reach the method as text."""
    return name == "id" or name.endswith("_id")


def _load(name: str, field: fields.Field[Any], text: str) -> Any:
    try:
        return field.deserialize(text)
    except ValidationError as error:
        raise Invalid(errors={name: error.messages}) from None
