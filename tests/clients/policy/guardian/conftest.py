"""A fake Guardian."""

from collections.abc import Iterator

import pytest

from tests.fakes.guardian import FakeGuardian


@pytest.fixture
def engine() -> Iterator[FakeGuardian]:
    with FakeGuardian() as running:
        yield running
