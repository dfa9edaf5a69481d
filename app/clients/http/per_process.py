"""State that a forked child must not share with its parent."""

import os
from collections.abc import Callable
from typing import Generic, TypeVar

Value = TypeVar("Value")


class PerProcess(Generic[Value]):
    """One value in each process, made when first needed. A child leaves its parent's value open and unused."""

    def __init__(self, factory: Callable[[], Value]) -> None:
        self._factory = factory
        self._values: dict[int, Value] = {os.getpid(): factory()}

    def get(self) -> Value:
        process = os.getpid()
        try:
            return self._values[process]
        except KeyError:
            return self._values.setdefault(process, self._factory())
