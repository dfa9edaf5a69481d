"""A claimed entry of the outbox, as its handler gets it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.db.tenancy import TenantNotSet


@dataclass(frozen=True)
class Job:
    """A claimed entry. ``attempts`` are those that failed before."""

    id: UUID
    kind: str
    tenant_id: UUID | None
    payload: Mapping[str, Any]
    created_at: datetime
    attempts: int
    leased_until: datetime

    @property
    def company_id(self) -> UUID:
        """Of what was asked for inside a tenant. Raises TenantNotSet."""
        if self.tenant_id is None:
            raise TenantNotSet(f"{self.kind} belongs to no tenant.")
        return self.tenant_id


JobHandler = Callable[[Job], None]
