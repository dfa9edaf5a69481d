"""Clocks that do not go by themselves."""

from dataclasses import dataclass
from datetime import datetime

import pytest

from app.accounts.auth import failures
from app.base.clock import utcnow


@dataclass
class Clock:
    """Monotonic: ``clock()`` is the time in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds


@pytest.fixture
def same_moment(monkeypatch: pytest.MonkeyPatch) -> datetime:
    """When all attempts at a password are made: the delay of a second after the fifth does not pass meanwhile."""
    moment = utcnow()
    monkeypatch.setattr(failures, "utcnow", lambda: moment)
    return moment
