"""The time of day."""

from datetime import UTC, datetime, timedelta


def utcnow() -> datetime:
    """Aware UTC, never on a whole second: orjson would omit the microseconds."""
    now = datetime.now(UTC)
    return now if now.microsecond else now + timedelta(microseconds=1)
