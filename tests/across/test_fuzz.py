"""Generated and hand-picked bad input on every operation of openapi.yml: no answer is a 5xx, all conform.

The input is the same in every run. Most of it is refused before a database is asked, so the databases share it: each
takes a part, and PostgreSQL, which refuses more values, all of those that it may treat in a way of its own.
"""

import copy
import json
from collections.abc import Iterator, Sequence
from contextlib import closing
from functools import cache
from itertools import groupby, islice
from typing import Any, cast
from uuid import UUID
from wsgiref.types import StartResponse, WSGIApplication, WSGIEnvironment

import schemathesis
from flask import Flask
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from werkzeug.test import TestResponse

from app.core.web.endpoint import is_id
from tests.support.clients import ApiClient, Tenant, sign_in
from tests.support.contract import resolved, spec
from tests.support.declared import PLACEHOLDER, Maker, routes_of, schema_of

MOST_PER_OPERATION = 14
PART = {"postgresql": 0, "sqlite": 1}
"""Of the generated requests and of plain values, each database takes every other one."""
CHECKS = (
    not_a_server_error, status_code_conformance, content_type_conformance, response_headers_conformance,
    response_schema_conformance, negative_data_rejection,
)  # fmt: skip
# Deletions come last, so that the rows of the paths are there for the others.
METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
WRITES = ("POST", "PUT", "PATCH")


@cache
def cases() -> list[Case]:
    """Requests of every operation, with values inside and outside the boundaries of what it takes."""
    schema = schemathesis.openapi.from_dict(_open(spec()))
    operations = sorted((each.ok() for each in schema.get_all_operations()), key=_order)
    return [case for operation in operations for case in _boundaries(schema, operation)]


def _open(document: dict[str, Any]) -> dict[str, Any]:
    """Without the ways to sign in: the token is this file's own affair."""
    found = copy.deepcopy(document)
    found["components"].pop("securitySchemes")
    for item in found["paths"].values():
        for operation in item.values():
            operation.pop("security", None)
    return found


def _order(operation: Any) -> tuple[int, str]:
    return METHODS.index(operation.method.upper()), operation.path


def _boundaries(schema: Any, operation: Any) -> list[Case]:
    """Some, spread over all, which are thousands."""
    config = schema.config.generation
    found = [*schema.iter_coverage_cases(operation, generation_modes=[*GenerationMode], generation_config=config)]
    return found[:: -(-len(found) // MOST_PER_OPERATION)]


def administrator(tenant: Tenant) -> ApiClient:
    """With a session of its own, since some operations end the one that they are sent with."""
    admin = tenant.admin
    return sign_in(tenant.app, tenant.company_id, UUID(admin.user_id), admin.email)


def buffered(app: Flask) -> WSGIApplication:
    """Schemathesis closes no response, and so would leave downloads open."""

    def respond(environ: WSGIEnvironment, start_response: StartResponse) -> list[bytes]:
        with closing(cast(Any, app(environ, start_response))) as body:
            return [*body]

    return respond


def test_generated_requests_are_answered_as_the_contract_says(app: Flask, acme: Tenant, database: str) -> None:
    maker, application = Maker(app, acme), buffered(app)
    ids = {case.operation.path: dict(_own_ids(maker, _pattern(case))) for case in cases()}
    failures = []

    for operation, group in groupby(cases(), key=lambda case: case.operation.label):
        headers = {"Authorization": f"Bearer {administrator(acme).token}", "Accept-Encoding": "identity"}
        for n, case in islice(enumerate(group), PART[database], None, 2):
            if n % 4 < 2 and case.path_parameters:
                case.path_parameters = {**case.path_parameters, **ids[case.operation.path]}
            response = case.call(app=application, headers=headers)
            try:
                case.validate_response(response, checks=[*CHECKS])
            except FailureGroup as found:
                failures += [f"{operation} {case.formatted_path}: {each}" for each in found.exceptions]

    assert failures == []


def _pattern(case: Case) -> str:
    path: str = case.operation.path
    return path.replace("{", "<").replace("}", ">")


def _own_ids(maker: Maker, pattern: str) -> Iterator[tuple[str, str]]:
    """Ids of rows that are there, for every id of the path."""
    filled = maker.path(pattern).split("/")
    for place, part in enumerate(pattern.split("/")):
        match = PLACEHOLDER.fullmatch(part)
        if match and is_id(match[1]):
            yield match[1], filled[place]


NASTY = (
    "", " ", "%00", "%1F", "%ff%fe", "%ed%a0%80", "%25", "'", "\\", "$1", "null", "-1", "1e309", "9" * 40,
    "%F0%9F%98%80" * 90, "a" * 3000, "..%2F..%2Fetc%2Fpasswd", "x%27%20OR%201=1--", "%0D%0AX-Injected:%201",
    "00000000-0000-0000-0000-000000000000", ",,", "٣",
)  # fmt: skip
PRIMITIVES: tuple[Any, ...] = (
    None, True, 0, -1, 1.5, 10**20, -(10**400), "", "\x00", "\x1f", "\ud800", "\udfff", "a" * 5000, "😀" * 300,
    str(UUID(int=0)),
)  # fmt: skip
"""Values that SQLite may store where PostgreSQL refuses them, by their type, length or characters."""
TEXTS_AND_CONTAINERS: tuple[Any, ...] = (
    " ", "null", "'--", "\\", [], [[]], [None] * 100, {}, {"a": {"b": {}}}, {"": ""}, "1e309", "http://[", "a@b", "@",
    "\u202e", "{{7*7}}",
)  # fmt: skip
"""Values of which SQLite refuses at least as many as PostgreSQL."""


def check_unharmed(answer: TestResponse) -> None:
    """The client has held the answer against openapi.yml already."""
    assert answer.status_code < 500, f"{answer.request.method} {answer.request.url}: {answer.text[:300]}"
    assert "X-Injected" not in answer.headers


def part_of(values: Sequence[Any], number: int, database: str) -> Sequence[Any]:
    """Every other one: for the next route or parameter, those that this one leaves out."""
    return values[(number + PART[database]) % 2 :: 2]


def test_no_value_of_a_query_parameter_does_harm(acme: Tenant, database: str) -> None:
    """PostgreSQL takes all, as it refuses more values."""
    maker, asked = Maker(acme.app, acme), set()

    for path, item in spec()["paths"].items():
        for parameter in map(resolved, item.get("get", {}).get("parameters", ())):
            name, kind = parameter["name"], json.dumps(parameter["schema"])
            if parameter["in"] != "query" or (name, kind) in asked:
                continue
            asked.add((name, kind))
            found = maker.path(path.replace("{", "<").replace("}", ">"))
            for value in NASTY if database == "postgresql" else part_of(NASTY, len(asked), database):
                check_unharmed(acme.admin.get(f"{found}?{name}={value}"))


def test_no_id_in_a_path_does_harm(acme: Tenant, database: str) -> None:
    """An id is parsed before either database is asked, so PostgreSQL takes one id, and every text elsewhere."""
    texts = [text for text in NASTY if text.strip() and not text.startswith("a")]

    for number, route in enumerate(routes_of(acme.app)):
        if not (placeholder := PLACEHOLDER.search(route.path)):
            continue
        client, body = administrator(acme), {} if route.method in WRITES else None
        before, _, after = route.path.partition(placeholder[0])
        is_typed = is_id(placeholder[1]) and database == "postgresql"
        for text in [str(UUID(int=0))] if is_typed else part_of(texts, number, database):
            check_unharmed(client.request(route.method, f"{before}{text}{PLACEHOLDER.sub('x', after)}", body))


def test_no_value_of_a_field_does_harm(app: Flask, acme: Tenant, database: str) -> None:
    maker, values = Maker(app, acme), PRIMITIVES + TEXTS_AND_CONTAINERS
    targets = [(route, maker.path(route.path), schema_of(route)) for route in routes_of(app) if route.method in WRITES]

    for number, (route, path, schema) in enumerate(targets):
        client, names = administrator(acme), schema.load_fields if schema else ("x",)
        for value in PRIMITIVES if database == "postgresql" else part_of(values, number, database):
            body = json.dumps(dict.fromkeys(names, value))
            check_unharmed(client.request(route.method, path, data=body, content_type="application/json"))
