"""What happens to companies, for later slices."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from app.core.events import Event

on_company_created = Event[[Mapping[str, Any] | None]]()
"""Inside the new tenant, with the values of the administrator to invite, if any."""
