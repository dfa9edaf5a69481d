"""What the tests of a remote Guardian share."""

from typing import Any

from tests.support.clients import ApiClient

Json = dict[str, Any]


def path_of(user: ApiClient, kind: str) -> str:
    return f"/users/{user.user_id}/{kind}"
