"""Waiting for another thread or process, at short steps and with an end."""

import time
from collections.abc import Callable

PATIENCE_SECONDS = 30.0


def wait_for(condition: Callable[[], object], explain: Callable[[], object] = str) -> float:
    """Seconds until the condition was true. Raises AssertionError with the explanation."""
    started = time.monotonic()
    while not condition():
        if time.monotonic() - started > PATIENCE_SECONDS:
            raise AssertionError(f"It never came true. {explain()}")
        time.sleep(0.01)
    return time.monotonic() - started
