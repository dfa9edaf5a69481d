"""What a forked child must not share with its parent."""

from __future__ import annotations

import os
import weakref
from collections.abc import Callable


def call_in_forked_children(method: Callable[[], None]) -> None:
    """For as long as the object lives; os.register_at_fork alone would keep it alive for ever."""
    reference = weakref.WeakMethod(method)

    def call() -> None:
        if found := reference():
            found()

    os.register_at_fork(after_in_child=call)
