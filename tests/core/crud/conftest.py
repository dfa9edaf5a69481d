"""Five customers to list."""

import pytest

from tests.support.clients import Tenant
from tests.support.declared import Json


@pytest.fixture
def customers(acme: Tenant) -> list[Json]:
    """Five, in the order in which they were made."""
    return [acme.admin.create("/customers", {"name": f"Customer {n}", "email": f"c{n}@example.com"}) for n in range(5)]
