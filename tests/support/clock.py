"""A monotonic clock that is set by hand."""

from dataclasses import dataclass


@dataclass
class Clock:
    """``clock()`` is the time in seconds."""

    now: float = 1000.0

    def __call__(self) -> float:
        return self.now

    def advance(self, seconds: float) -> None:
        self.now += seconds
