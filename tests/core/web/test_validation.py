"""Bodies are validated before the transaction, and their faults are reported after those of the path."""

import pytest
from flask import Flask
from uuid_utils.compat import uuid7

from app.core.db.transaction import unit_of_work
from app.customers.schemas import CustomerSchema
from tests.core.web.sending import refused
from tests.support.clients import ApiClient, Tenant
from tests.support.declared import Json, Maker, routes_of, schema_of
from tests.support.marks import one_database


def test_validation_inside_a_transaction_is_a_crash(app: Flask) -> None:
    with (
        app.test_request_context(),
        unit_of_work(writes=False),
        pytest.raises(RuntimeError, match="before the transaction"),
    ):
        CustomerSchema().checked({"name": "Wile"})


@one_database
def test_every_operation_validates_its_body_before_its_transaction(app: Flask, acme: Tenant) -> None:
    """Else it would crash. Each is sent what it refuses, then what it takes."""
    maker = Maker(app, acme)
    targets = [(each, maker.path(each.path), maker.sent(each)) for each in routes_of(app) if schema_of(each)]

    for route, path, sent in targets:
        client = ApiClient(app) if route.endpoint.access == "public" else acme.user("administrator")
        assert client.request(route.method, path, {"nmae": 1}).status_code < 500, path
        assert client.request(route.method, path, **sent).status_code < 500, path


@one_database
def test_a_missing_row_is_reported_before_a_faulty_body(app: Flask, acme: Tenant, wile: Json) -> None:
    for method, path in (
        ("PUT", f"/customers/{uuid7()}"),
        ("PATCH", f"/customers/{uuid7()}"),
        ("PATCH", f"/users/{uuid7()}"),
        ("PATCH", f"/companies/{uuid7()}"),
        ("POST", f"/customers/{uuid7()}/merge"),
        ("PUT", f"/customers/{uuid7()}/subscription-state"),
        ("PUT", f"/customers/{wile['id']}/addresses/{uuid7()}/verify"),
        ("POST", f"/guardian/roles/{uuid7()}/policies"),
        ("POST", f"/users/{uuid7()}/admin-reset-password"),
        ("PATCH", "/customers/profile"),
    ):
        for options in ({"json": {"nmae": 1}}, {"data": b"{", "content_type": "application/json"}, {"data": b"x"}):
            assert acme.admin.request(method, path, **options).status_code == 404, (method, path)


@one_database
def test_a_faulty_body_resets_no_password(acme: Tenant) -> None:
    user = acme.user()

    answer = acme.admin.post(f"/users/{user.user_id}/admin-reset-password", {"password": "x"})

    assert refused(answer) == (400, "VALIDATION_ERROR")
    assert user.get("/users/me").status_code == 200
