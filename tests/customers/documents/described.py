"""Refusals of documents and their fields."""

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.customers.dossier import Json

TODAY = datetime.now(UTC).date()
YESTERDAY, TOMORROW = ((TODAY + timedelta(days=days)).isoformat() for days in (-1, 1))
VERDICT = ("verification_status", "verification_reason", "verified_by")


def verdict(row: Json) -> tuple[Any, ...]:
    return tuple(row[name] for name in VERDICT)
