"""A customer to send requests about."""

import pytest

from tests.support.clients import Tenant
from tests.support.declared import Json


@pytest.fixture
def wile(acme: Tenant) -> Json:
    return acme.admin.create("/customers", {"name": "Wile", "email": "wile@example.com", "address": "Canyon 1"})
