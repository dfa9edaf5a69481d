"""Waiting for another thread or process, at short steps and with an end."""

import re
import time
from collections.abc import Callable, Iterable

PATIENCE_SECONDS = 30.0


def find_line(log: Iterable[str] | None, pattern: str, seen: list[str] | None = None) -> re.Match[str]:
    """The match in the first line that has one. ``seen`` receives the lines up to there. Raises AssertionError."""
    seen = [] if seen is None else seen
    for line in log or ():
        seen.append(line)
        if match := re.search(pattern, line):
            return match
    raise AssertionError("The process did not start:\n" + "".join(seen))


def wait_for(condition: Callable[[], object], explain: Callable[[], object] = str) -> float:
    """Seconds until the condition was true. Raises AssertionError with the explanation."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise AssertionError(f"It never came true. {explain()}")
        time.sleep(0.01)
    return time.monotonic() - started
