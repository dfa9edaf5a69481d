"""What the tests of sign-in share."""

import pytest
from flask import Flask

from tests.accounts.auth.browser import Browser, signed_in
from tests.support.clients import ApiClient, Tenant
from tests.support.clock import same_moment
from tests.support.variants import other_process, variant

__all__ = ["browser", "other_process", "person", "same_moment", "variant"]


@pytest.fixture
def person(acme: Tenant) -> ApiClient:
    return acme.user()


@pytest.fixture
def browser(app: Flask, person: ApiClient) -> Browser:
    return signed_in(app, person)
