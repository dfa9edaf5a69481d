"""What the tests of faults share."""

import pytest

from tests.support.marks import flaky
from tests.support.variants import variant

__all__ = ["variant"]


def pytest_itemcollected(item: pytest.Item) -> None:
    """pytest calls this for the items of this folder only."""
    item.add_marker(flaky)
