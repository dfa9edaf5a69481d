"""Named events: one slice emits them, and later slices act on them in the same transaction."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, ParamSpec

from app.core.services import services

P = ParamSpec("P")


class Event(Generic[P]):
    """``P`` are the parameters of its subscribers."""

    def emit(self, *args: P.args, **kwargs: P.kwargs) -> None:
        """Run the subscribers in the order of their slices. An error of one rolls the transaction back."""
        for subscriber in services().subscribers.get(self, ()):
            subscriber(*args, **kwargs)


@dataclass(frozen=True)
class Subscription(Generic[P]):
    """An entry of a slice's ``SUBSCRIPTIONS``."""

    event: Event[P]
    subscriber: Callable[P, None]
