"""A fleet per database, and the rule that no race may end in a crash."""

from collections.abc import Callable, Iterator
from shutil import rmtree

import pytest

from tests.across.races.fleet import Fleet
from tests.support.everything import everything
from tests.support.marks import flaky
from tests.support.stages import Stage

__all__ = ["everything"]

FEW = 0.02
"""The share of 503 that a burst of writers may see: they waited too long for a lock."""


def pytest_itemcollected(item: pytest.Item) -> None:
    """pytest calls this for the items of this folder only."""
    item.add_marker(flaky)


def _start_fleet(stage: Stage) -> Fleet:
    return Fleet(stage.url, stage.folder / "fleet.log")


@pytest.fixture
def fleet(stage: Stage) -> Iterator[Fleet]:
    """Afterwards: nothing crashed, next to nothing was turned away, and nobody was the victim of a deadlock."""
    fleet = stage.share(_start_fleet)
    fleet.is_crowded = False
    fleet.seen.clear()
    rmtree(fleet.environ["STORAGE_PATH"], ignore_errors=True)
    start = fleet.log.stat().st_size
    yield fleet
    logged = fleet.log.read_text()[start:]
    crashes = [status for status in fleet.seen if status >= 500 and status != 503]
    assert not crashes, logged[-4000:]
    assert fleet.seen[503] <= FEW * fleet.seen.total(), fleet.seen
    assert "DeadlockDetected" not in logged


@pytest.fixture
def crowd(stage: Stage) -> Iterator[Fleet]:
    """The fleet, with four threads in each process; afterwards nothing crashed."""
    crowd = stage.share(_start_fleet)
    crowd.is_crowded = True
    crowd.seen.clear()
    start = crowd.log.stat().st_size
    yield crowd
    crashes = [status for status in crowd.seen if status >= 500]
    assert not crashes, crowd.log.read_text()[start:][-4000:]


@pytest.fixture
def emptied(empty: None, stage: Stage) -> Callable[[], None]:
    """Between the rounds of a test."""
    return stage.snapshot.clear
