"""Whoever keeps the roles: this service itself, or the same engine as a process of its own."""

from collections.abc import Callable, Iterator

import pytest
from flask import Flask

from tests.fakes.guardian import FakeGuardian
from tests.fakes.roles import FakeRoles
from tests.support.clients import ApiClient, Tenant
from tests.support.served import served
from tests.support.variants import Variant, variant

__all__ = ["served", "variant"]

Through = Callable[[ApiClient], ApiClient]


def moved(client: ApiClient, app: Flask) -> ApiClient:
    """The same person at another process of the service."""
    return ApiClient(app, client.token, client.user_id, client.company_id, client.email)


@pytest.fixture(params=["kept here", "kept by a remote engine"])
def at(request: pytest.FixtureRequest, app: Flask) -> Through:
    """The service whose roles are kept so: ``at(acme.admin).get("/users/roles")``."""
    if request.param == "kept here":
        return lambda client: client
    make: Variant = request.getfixturevalue("variant")
    remote = make(GUARDIAN_SERVICE_URL=request.getfixturevalue("served").url, GUARDIAN_SERVICE_TIMEOUT="30")
    return lambda client: moved(client, remote)


# A remote Guardian that answers as told


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian() as running:
        yield running


@pytest.fixture
def remote(engine: FakeGuardian, variant: Variant) -> Flask:
    return variant(GUARDIAN_SERVICE_URL=engine.url, GUARDIAN_SERVICE_TIMEOUT="30")


@pytest.fixture
def data(engine: FakeGuardian, acme: Tenant) -> FakeRoles:
    found = FakeRoles(acme.admin.company_id)
    engine.behaviour = found
    return found


@pytest.fixture
def admin(acme: Tenant, remote: Flask) -> ApiClient:
    return moved(acme.admin, remote)


@pytest.fixture
def user(acme: Tenant) -> ApiClient:
    return acme.user()
