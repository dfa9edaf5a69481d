"""How often one client may ask the public endpoints of sign-up, verification, invitation and change of address."""

import pytest

from tests.support.clients import ApiClient
from tests.support.marks import one_database
from tests.support.variants import Variant, variant

__all__ = ["variant"]
pytestmark = one_database


@pytest.mark.parametrize(
    ("path", "most"),
    [
        ("/auth/register", 10),
        ("/auth/verify-email", 30),
        ("/auth/verify-email/request", 50),
        ("/auth/accept-invitation", 30),
        ("/auth/confirm-email", 30),
    ],
)
def test_client_that_asks_too_often_is_turned_away(variant: Variant, path: str, most: int) -> None:
    client = ApiClient(variant(RATELIMIT_ENABLED="true"))

    statuses = [client.post(path, {}).status_code for _ in range(most + 1)]

    assert 429 not in statuses[:most]
    assert statuses[most] == 429
