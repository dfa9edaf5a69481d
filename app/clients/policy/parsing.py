"""What an engine tells, read field by field: a value of another kind than promised makes all of it unusable."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from app.base.text import CANONICAL_UUID, CONTROL
from app.clients.http.transport import unusable

CODE = re.compile(r"[A-Z][A-Z0-9_]{0,49}")
_REQUIRED = object()


class Told:
    """One thing. Every method raises BadGateway."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    @property
    def id(self) -> UUID:
        found: UUID = self.uuid("id")
        return found

    @property
    def code(self) -> str | None:
        """An error's, as this service writes them; None for what other engines may put there."""
        found = self._values.get("error_code")
        return found if isinstance(found, str) and CODE.fullmatch(found) else None

    def uuid(self, name: str, default: Any = _REQUIRED) -> Any:
        found = self._values.get(name)
        if found is None and default is not _REQUIRED:
            return default
        if not isinstance(found, str) or not CANONICAL_UUID.fullmatch(found):
            raise unusable(f"{name} is no id")
        return UUID(found)

    def required_text(self, name: str) -> str:
        found = self.optional_text(name)
        if not found:
            raise unusable(f"{name} is missing")
        return found

    def optional_text(self, name: str) -> str | None:
        found = self._values.get(name)
        if found is not None and (not isinstance(found, str) or CONTROL.search(found)):
            raise unusable(f"{name} is no text")
        return found

    def flag(self, name: str) -> bool:
        found = self._values.get(name)
        if found is not None and not isinstance(found, bool):
            raise unusable(f"{name} is neither true nor false")
        return bool(found)

    def time(self, name: str) -> str | None:
        """As this service writes times. One without a zone is UTC: that is how Guardian keeps them."""
        found = self._values.get(name)
        if found is None:
            return None
        try:
            time = datetime.fromisoformat(found)
            aware = time if time.tzinfo else time.replace(tzinfo=UTC)
            return aware.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        except (TypeError, ValueError, OverflowError):
            raise unusable(f"{name} is no time") from None


def object_of(document: Any) -> Mapping[str, Any]:
    if not isinstance(document, dict):
        raise unusable("not a JSON object")
    return document


def items_of(document: Any, names: Iterable[str]) -> list[Any]:
    """A bare array, or the one that stands under one of its names."""
    if isinstance(document, list):
        return document
    told = object_of(document)
    found = next((told[name] for name in (*names, "data") if name in told), None)
    if not isinstance(found, list):
        raise unusable("no list")
    return found
