"""The time of day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta


def utcnow() -> datetime:
    """Aware UTC. Never on a whole second: orjson would leave out the microseconds that 01 promises."""
    now = datetime.now(UTC)
    return now if now.microsecond else now + timedelta(microseconds=1)
