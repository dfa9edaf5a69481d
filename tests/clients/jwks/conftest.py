"""A key server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.clients.jwks.key_server import KeyServer


@pytest.fixture
def server() -> Iterator[KeyServer]:
    with KeyServer().running() as found:
        yield found
