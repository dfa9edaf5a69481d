"""Effects that run after the commit and may be lost. Work that must not be lost is an outbox row instead."""

from collections.abc import Callable
from contextvars import ContextVar

import structlog

log = structlog.get_logger(__name__)

Effect = Callable[[], None]
_queued: ContextVar[tuple[Effect, ...]] = ContextVar("effects", default=())


def after_commit(effect: Effect) -> None:
    """Run ``effect`` after the commit of the current unit of work, and not after a rollback."""
    _queued.set((*_queued.get(), effect))


def discard_effects() -> None:
    _queued.set(())


def run_effects() -> None:
    effects = _queued.get()
    discard_effects()
    for effect in effects:
        try:
            effect()
        except Exception:
            log.exception("effect_failed", effect=getattr(effect, "__qualname__", repr(effect)))
