"""A tree, stored as materialized paths."""

from uuid import UUID

from sqlalchemy import ColumnElement, Index, String, UniqueConstraint, and_, or_, text
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import CodePointText, Counted, Model, Named, TenantRecord, folded, listed_by, same_tenant

MAX_LEVEL = 50


class OrganizationUnit(TenantRecord, Named, Counted, Model):
    """``path`` is ``/rootid/…/selfid``; ``level`` is the depth, 0 for a root."""

    __tablename__ = "organization_unit"
    __table_args__ = (
        UniqueConstraint("company_id", "parent_id", "name"),
        Index(
            "uq_organization_unit_company_id_name",
            "company_id",
            "name",
            unique=True,
            postgresql_where=text("parent_id IS NULL"),
            sqlite_where=text("parent_id IS NULL"),
        ),
        same_tenant("parent_id", "organization_unit"),
        Index("ix_organization_unit_company_id_path", "company_id", "path"),
        *listed_by("organization_unit", "created_at", "name_key"),
    )

    search_text: Mapped[str] = folded("name", "description")
    description: Mapped[str | None] = mapped_column(String(255))
    parent_id: Mapped[UUID | None]
    path: Mapped[str] = mapped_column(CodePointText)
    level: Mapped[int]

    @classmethod
    def below(cls, path: str) -> ColumnElement[bool]:
        """Strict descendants, as a range: unlike LIKE it uses an index under row-level security."""
        return and_(cls.path > f"{path}/", cls.path < f"{path}0")

    @classmethod
    def within(cls, path: str) -> ColumnElement[bool]:
        """The unit at ``path`` and its descendants."""
        return or_(cls.path == path, cls.below(path))

    @property
    def ancestor_ids(self) -> list[UUID]:
        """From the root down, without the unit itself."""
        return [UUID(part) for part in self.path.split("/")[1:-1]]
