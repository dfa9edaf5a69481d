"""A fleet per database, and the rule that no race may end in a crash."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from tests.across.races.fleet import Fleet
from tests.support.databases import Postgres, empty_sqlite, worker
from tests.support.everything import everything

__all__ = ["everything"]

FEW = 0.02
"""The share of 503 that a burst of writers may see: they waited too long for a lock."""


@pytest.fixture(scope="session")
def _fleet(database: str, database_url: str, scratch: Path) -> Iterator[Fleet]:
    with Fleet(database_url, scratch / f"fleet-{database}.log") as found:
        yield found


@pytest.fixture
def fleet(_fleet: Fleet) -> Iterator[Fleet]:
    """Afterwards: nothing crashed, next to nothing was turned away, and nobody was the victim of a deadlock."""
    _fleet.seen.clear()
    start = _fleet.log.stat().st_size
    yield _fleet
    logged = _fleet.log.read_text()[start:]
    crashes = [status for status in _fleet.seen if status >= 500 and status != 503]
    assert not crashes, logged[-4000:]
    assert _fleet.seen[503] <= FEW * _fleet.seen.total(), _fleet.seen
    assert "DeadlockDetected" not in logged


@pytest.fixture(scope="session")
def _crowd(database: str, database_url: str, scratch: Path) -> Iterator[Fleet]:
    with Fleet(database_url, scratch / f"crowd-{database}.log", threads=4) as found:
        yield found


@pytest.fixture
def crowd(_crowd: Fleet) -> Iterator[Fleet]:
    """Four processes of four threads each; afterwards nothing crashed."""
    _crowd.seen.clear()
    start = _crowd.log.stat().st_size
    yield _crowd
    crashes = [status for status in _crowd.seen if status >= 500]
    assert not crashes, _crowd.log.read_text()[start:][-4000:]


@pytest.fixture
def emptied(app: Flask, database: str, postgres: Postgres) -> Callable[[], None]:
    """Between the rounds of a test."""
    if database == "sqlite":
        return lambda: empty_sqlite(app)
    return lambda: postgres.empty(f"identity_{worker()}")
