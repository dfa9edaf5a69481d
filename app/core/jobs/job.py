"""The argument of a job's handler."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from app.core.db.tenancy import TenantNotSet


@dataclass(frozen=True)
class Job:
    """A claimed entry of the outbox. ``attempts`` counts earlier failures."""

    id: UUID
    kind: str
    tenant_id: UUID | None
    payload: Mapping[str, Any]
    created_at: datetime
    attempts: int
    leased_until: datetime

    @property
    def company_id(self) -> UUID:
        """The tenant of the job. Raises TenantNotSet for a job of no tenant."""
        if self.tenant_id is None:
            raise TenantNotSet(f"{self.kind} belongs to no tenant.")
        return self.tenant_id


JobHandler = Callable[[Job], None]
