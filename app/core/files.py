"""What rows that own a picture have in common."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import Mapped, mapped_column


class LogoOwner:
    logo_file_id: Mapped[UUID | None] = mapped_column(sort_order=80)

    @hybrid_property
    def has_logo(self) -> bool:
        return self.logo_file_id is not None

    @has_logo.inplace.expression
    @classmethod
    def _has_logo(cls) -> Any:
        return cls.logo_file_id.is_not(None)
