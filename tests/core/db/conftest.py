"""Two tenants with a customer each, and an application context around every test."""

from collections.abc import Iterator
from uuid import UUID

import pytest
from flask import Flask

from tests.support.clients import Tenant


@pytest.fixture(autouse=True)
def context(app: Flask) -> Iterator[None]:
    with app.app_context():
        yield


@pytest.fixture
def wile(acme: Tenant) -> UUID:
    """Acme's one customer."""
    return UUID(acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com"})["id"])


@pytest.fixture
def road_runner(globex: Tenant) -> UUID:
    """Globex's one customer, of the same name."""
    return UUID(globex.admin.create("/customers", {"name": "Wile", "email": "runner@example.com"})["id"])


@pytest.fixture
def two(wile: UUID, road_runner: UUID) -> tuple[UUID, UUID]:
    return wile, road_runner
