"""The global table of document types."""

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.core.db.models import Identified, Model, Timestamped, Versioned


class DocumentType(Identified, Timestamped, Versioned, Model):
    """A kind of document, referred to by its ``code``."""

    __tablename__ = "document_type"

    name: Mapped[str] = mapped_column(String(255))
    code: Mapped[str] = mapped_column(String(50), unique=True)
    description: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(default=True)
