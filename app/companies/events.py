"""Events of companies, for later slices."""

from collections.abc import Mapping
from typing import Any

from app.core.events import Event

on_company_created = Event[[Mapping[str, Any] | None]]()
"""Emitted inside the new tenant, with the values of the administrator to invite, or None."""
