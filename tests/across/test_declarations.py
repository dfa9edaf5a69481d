"""What every endpoint and resource declares."""

import ast
import re

import pytest
from flask import Flask

from app.config.settings import ROOT
from app.core.crud.crud import Crud
from app.core.web.endpoint import Endpoint
from tests.across.sources import endpoints, sources
from tests.support.contract import spec
from tests.support.declared import routes_of
from tests.support.marks import one_database
from tests.support.rows import by_row

# What every reader of a slice must know of the kernel is kept smaller.
MOST_ATTRIBUTES, MOST_HOOKS = 14, 8
LONGEST_OF_ALL_SLICES = dict.fromkeys(
    ("app/core/crud/contract.py", "app/core/crud/crud.py", "app/core/web/endpoint.py"), 220
)


# What a contract names as reachable without a permission.
PUBLIC = {
    "/health", "/health/live", "/health/ready", "/config", "/init-db", "/openapi.json", "/openapi.yml", "/docs",
    "/docs/<name>", "/auth/login", "/auth/refresh", "/auth/logout", "/.well-known/jwks.json",
    "/users/password-reset/request", "/users/password-reset/confirm", "/verify_password",
    "/auth/register", "/auth/verify-email", "/auth/verify-email/request", "/auth/accept-invitation",
    "/auth/confirm-email",
    "/guardian/health", "/guardian/config", "/guardian/init-db",
    "/customers/verify-email", "/", "/auth/health", "/auth/version", "/auth/config",
}  # fmt: skip
OWN = {
    "/version", "/users/me", "/users/me/change-password", "/users/me/email", "/auth/verify", "/auth/sessions",
    "/auth/sessions/<id>",
    "/users/me/permissions", "/users/<id>/avatar", "/guardian/check-access", "/guardian/version",
}  # fmt: skip


def test_every_route_states_a_permission_or_is_one_that_the_contract_leaves_open(app: Flask) -> None:
    unprotected = {route for route in routes_of(app) if route.permission is None}

    assert {route.path for route in unprotected if route.endpoint.access == "public"} == PUBLIC
    assert {route.path for route in unprotected if route.endpoint.access == "self"} == OWN
    assert all(route.endpoint.access in ("public", "self") for route in unprotected)


@by_row(
    "attributes",
    [{}, {"permission": "x", "access": "public"}, {"permission": "x", "access": "self"}, {"access": "everybody"}],
)
def test_an_endpoint_that_does_not_state_who_may_use_it_fails_at_import(attributes: dict[str, str]) -> None:
    with pytest.raises(TypeError, match="must state a permission"):
        type("Forgotten", (Endpoint,), {"path": "/forgotten", **attributes})


def test_every_endpoint_is_mounted(app: Flask) -> None:
    mounted = {route.endpoint for route in routes_of(app)}

    assert [each for each in endpoints() if each not in mounted] == []


def test_nobody_inherits_from_a_declared_collection() -> None:
    collections = [endpoint for endpoint in endpoints() if issubclass(endpoint, Crud)]

    assert [each for each in collections if not all(base.is_abstract for base in each.__bases__)] == []


def test_a_resource_declares_at_most_fourteen_things() -> None:
    tree = sources()["app/core/crud/contract.py"]
    [declared] = [node for node in tree.body if isinstance(node, ast.ClassDef)]
    assigned = {node.attr for node in ast.walk(declared) if isinstance(node, ast.Attribute) and is_stored(node)}
    attributes = {node.target.id for node in declared.body if isinstance(node, ast.AnnAssign)} - assigned

    assert {"model", "schema", "verbs", "parent"} < attributes
    assert len(attributes) <= MOST_ATTRIBUTES, sorted(attributes)


def is_stored(node: ast.Attribute) -> bool:
    return isinstance(node.ctx, ast.Store)


def test_a_resource_varies_by_at_most_eight_hooks_and_all_are_named() -> None:
    named = set(re.findall(r"``(\w+)``", Crud.__doc__ or ""))
    resources = [endpoint for endpoint in endpoints() if issubclass(endpoint, Crud)]
    overridden = {name for each in resources for name in vars(each) if name in vars(Crud)}

    assert {name for name in overridden if callable(getattr(Crud, name)) and not hasattr(Endpoint, name)} <= (
        named | {"get", "post", "put", "patch", "delete"}
    )
    assert named <= vars(Crud).keys()
    assert len(named) <= MOST_HOOKS


def test_files_that_every_slice_rests_on_are_shorter_than_others() -> None:
    lines = {path: len((ROOT / path).read_text().splitlines()) for path in LONGEST_OF_ALL_SLICES}

    assert {path: count for path, count in lines.items() if count > LONGEST_OF_ALL_SLICES[path]} == {}


@one_database
def test_the_contract_names_the_fields_of_a_body_as_the_body_does(app: Flask) -> None:
    for route in routes_of(app):
        schema = route.declaration.body
        operation = spec()["paths"][route.path.replace("<", "{").replace(">", "}")][route.method.lower()]
        if schema is None or "application/json" not in operation["requestBody"]["content"]:
            continue
        name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
        taken = {field.data_key or name for name, field in schema.load_fields.items()}
        assert spec()["components"]["schemas"][name]["properties"].keys() <= taken, route
