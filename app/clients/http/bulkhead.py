"""A bound on concurrent work, so that slow work takes some threads of a process and never all."""

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from app.base.errors import Unavailable


class Bulkhead:
    """``at_once`` are inside and ``waiting`` more wait, for at most ``patience`` seconds; the next is refused."""

    def __init__(self, at_once: int, waiting: int, patience: float, refusal: str) -> None:
        self._places = threading.Semaphore(at_once + waiting)
        self._inside = threading.Semaphore(at_once)
        self._patience, self._refusal = patience, refusal

    @contextmanager
    def acquire(self) -> Iterator[None]:
        """Raises Unavailable."""
        with ExitStack() as stack:
            for semaphore, patience in ((self._places, 0.0), (self._inside, self._patience)):
                if not semaphore.acquire(timeout=patience):
                    raise Unavailable(self._refusal)
                stack.callback(semaphore.release)
            yield
