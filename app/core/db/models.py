"""Base classes and columns of the models."""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, ClassVar
from uuid import UUID

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import JSON, DateTime, ForeignKeyConstraint, Index, MetaData, String, Text, TypeDecorator, Uuid, event
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.hybrid import hybrid_property
from sqlalchemy.orm import (
    DeclarativeBase,
    InstrumentedAttribute,
    Mapped,
    MappedColumn,
    Session,
    UOWTransaction,
    declared_attr,
    mapped_column,
)
from uuid_utils.compat import uuid7

from app.base.clock import utcnow
from app.base.text import fold
from app.core.db.tenancy import GuardedSession, TenantScoped

NAMING = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}


class SqliteUtc(TypeDecorator[datetime]):
    """SQLite stores no time zone: this writes UTC and reads aware UTC."""

    impl = DateTime
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        return value and value.replace(tzinfo=UTC)


UtcDateTime = DateTime(timezone=True).with_variant(SqliteUtc(), "sqlite")
JsonDocument = JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")
CodePointText = Text().with_variant(Text(collation="C"), "postgresql")


class Model(DeclarativeBase):
    """``search_columns`` are the folded texts that a search reads, where a model has them. Rows whose column
    ``pinned_first`` is true come first in every order of a list."""

    search_columns: ClassVar[tuple[str, ...]] = ("search_text",)
    pinned_first: ClassVar[str] = ""
    metadata = MetaData(naming_convention=NAMING)


# Flask-SQLAlchemy derives its own base, which may not have a map besides the registry's.
Model.registry.update_type_annotation_map({datetime: UtcDateTime, UUID: Uuid()})

db = SQLAlchemy(
    model_class=Model,
    disable_autonaming=True,
    session_options={"class_": GuardedSession, "expire_on_commit": False, "autoflush": False},
)


class Identified:
    """A time-ordered UUID (RFC 9562 version 7)."""

    id: Mapped[UUID] = mapped_column(primary_key=True, default=uuid7, sort_order=-1)


class Timestamped:
    created_at: Mapped[datetime] = mapped_column(default=utcnow, sort_order=90)
    updated_at: Mapped[datetime] = mapped_column(default=utcnow, sort_order=91)


class Versioned:
    """Every UPDATE increments ``row_version``; a writer with an outdated version gets StaleDataError."""

    row_version: Mapped[int] = mapped_column(default=1, sort_order=92)

    @declared_attr.directive
    def __mapper_args__(cls) -> dict[str, Any]:
        return {"version_id_col": cls.row_version}


class Counted:
    """Triggers maintain the tenant's number of rows; the table's migration adds them (``ddl.count``)."""


def folded(*names: str, **options: Any) -> MappedColumn[Any]:
    """A stored column with the folded text of others, joined by newlines and updated at every flush."""
    return mapped_column(CodePointText, info={"folds": names, "stands_for": names[0]}, **options)


class TenantRecord(TenantScoped, Identified, Timestamped, Versioned):
    """A row of one tenant that clients read and change."""


class Named:
    name: Mapped[str] = mapped_column(String(100))
    name_key: Mapped[str] = folded("name")


def same_tenant(column: str, target: str) -> ForeignKeyConstraint:
    """A composite foreign key inside one tenant, with no action: SET NULL would clear ``company_id`` too."""
    return ForeignKeyConstraint(["company_id", column], [f"{target}.company_id", f"{target}.id"])


def listed_by(table: str, *columns: str) -> tuple[Index, ...]:
    """One index for each order of a list; ties are broken by id."""
    return tuple(Index(f"ix_{table}_company_id_{column}_id", "company_id", column, "id") for column in columns)


def belongs_to(owner: str, table: str) -> tuple[ForeignKeyConstraint, Index]:
    """The foreign key and the index of rows that are listed per owner, in the order of their creation."""
    column = f"{owner}_id"
    order = Index(f"ix_{table}_company_id_{column}", "company_id", column, "created_at", "id")
    return same_tenant(column, owner), order


class IsSet(hybrid_property[bool]):
    """True where a column is not null, on rows and in queries."""

    def __init__(self, column: str) -> None:
        super().__init__(
            lambda row: getattr(row, column) is not None, expr=lambda model: getattr(model, column).is_not(None)
        )

    def __set_name__(self, _owner: type[Any], name: str) -> None:
        self.__name__ = name


def referrers(model: type[Any]) -> Iterator[tuple[type[Any], InstrumentedAttribute[Any]]]:
    """Other models and their columns that refer to rows of ``model`` inside one tenant, by the foreign keys."""
    for mapper in Model.registry.mappers:
        for constraint in mapper.local_table.foreign_key_constraints:  # type: ignore[attr-defined]
            is_within_tenant = constraint.referred_table is model.__table__ and len(constraint.columns) == 2
            if is_within_tenant and mapper.class_ is not model:
                column = next(column for column in constraint.columns if column.name != "company_id")
                yield mapper.class_, getattr(mapper.class_, mapper.get_property_by_column(column).key)


def add_in_order(*groups: Iterable[object]) -> None:
    """Flush each group before the next: the ORM orders by relationships, which these models do not have."""
    for group in groups:
        db.session.add_all(group)
        db.session.flush()


@event.listens_for(GuardedSession, "before_flush")
def _update_derived(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    for row in session.new:
        fold_columns(row)
    for row in session.dirty:
        if session.is_modified(row, include_collections=False):
            fold_columns(row)
            if isinstance(row, Timestamped):
                row.updated_at = utcnow()


def fold_columns(row: Any) -> None:
    """Update the columns declared with ``folded``. Every flush calls this."""
    for column in row.__table__.c:
        names = column.info.get("folds")
        if names:
            texts = [fold(text) for name in names if (text := getattr(row, name))]
            setattr(row, column.key, "\n".join(texts) if texts or len(names) > 1 else None)


def folded_names(model: type[Any]) -> list[str]:
    return [column.key for column in model.__table__.c if "folds" in column.info]
