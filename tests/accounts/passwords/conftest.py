"""What the tests of passwords share."""

import pytest

from tests.support.clients import ApiClient, Tenant
from tests.support.clock import same_moment
from tests.support.everything import everything
from tests.support.mailbox import mailbox
from tests.support.variants import variant

__all__ = ["everything", "mailbox", "person", "same_moment", "variant"]


@pytest.fixture
def person(acme: Tenant) -> ApiClient:
    return acme.user(email="ada@example.com", first_name="Ada")
