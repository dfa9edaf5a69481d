"""Tenant isolation in statements and in new rows, besides row-level security (``migrations/ddl.py``)."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast
from uuid import UUID

from flask_sqlalchemy.session import Session as FlaskSession
from sqlalchemy import ForeignKey, Row, Select, Table, Uuid, bindparam, column, event, exc, inspect
from sqlalchemy.orm import (
    LoaderCriteriaOption,
    Mapped,
    ORMExecuteState,
    Session,
    UOWTransaction,
    mapped_column,
    with_loader_criteria,
)
from sqlalchemy.sql import visitors

from app.core.db.faults import is_lost
from app.core.db.mode import is_writing


class TenantNotSet(RuntimeError):
    """A statement was about to run with no tenant bound. Always a bug of ours, never the caller's."""


class ForeignTenant(RuntimeError):
    """A row of another tenant was about to be written. Always a bug of ours."""


class UnguardedStatement(RuntimeError):
    """A raw or Core statement came without the ``unguarded`` execution option that names its reason."""


class _TenantColumn:
    """The column, where SQLAlchemy analyzes the criterion on the marker class itself."""

    def __get__(self, instance: Any, owner: type) -> Any:
        return column("company_id", Uuid())


class Tenanted:
    """Marker of the classes whose rows belong to one tenant, by their attribute ``company_id``."""

    company_id: Any = _TenantColumn()


class TenantScoped(Tenanted):
    """Rows that belong to a company. ``company_id`` leads the primary key: it is the shard key."""

    company_id: Mapped[UUID] = mapped_column(ForeignKey("company.id"), primary_key=True, sort_order=-2)


@dataclass(frozen=True, slots=True)
class Scope:
    """The subject of the next transaction: one tenant, the platform, or nobody if both are unset."""

    company_id: UUID | None = None
    platform: bool = False


T = TypeVar("T")
Method = TypeVar("Method", bound=Callable[..., Any])
NOBODY = Scope()
_scope: ContextVar[Scope] = ContextVar("tenancy_scope", default=NOBODY)
_in_transaction: ContextVar[bool] = ContextVar("tenancy_in_transaction", default=False)


def current_scope() -> Scope:
    return _scope.get()


def current_tenant() -> UUID:
    """Raises TenantNotSet."""
    company_id = _scope.get().company_id
    if company_id is None:
        raise TenantNotSet("No tenant is bound.")
    return company_id


def tenant(company_id: UUID) -> AbstractContextManager[None]:
    """Bind the tenant of the transactions that start inside. Refuses to start inside one."""
    return _bind(Scope(company_id=company_id))


def platform_scope() -> AbstractContextManager[None]:
    return _bind(Scope(platform=True))


def in_transaction() -> AbstractContextManager[None]:
    """Mark the extent of a unit of work. There is one at a time, and its scope cannot change."""
    return _set(_in_transaction, True, "A unit of work cannot start inside another.")


def _bind(scope: Scope) -> AbstractContextManager[None]:
    return _set(_scope, scope, "A tenant cannot be bound inside an open transaction.")


def is_in_transaction() -> bool:
    return _in_transaction.get()


@contextmanager
def _set(variable: ContextVar[T], value: T, refusal: str) -> Iterator[None]:
    if _in_transaction.get():
        raise RuntimeError(refusal)
    token = variable.set(value)
    try:
        yield
    finally:
        variable.reset(token)


def _repeated_if_lost(method: Method) -> Method:
    """Repeat a statement of a read-only transaction once if its connection was lost, in another transaction.

    Under READ COMMITTED another transaction shows it nothing else. What writes is never repeated.
    """

    @wraps(method)
    def attempt(session: Session, *args: Any, **options: Any) -> Any:
        try:
            return method(session, *args, **options)
        except exc.DBAPIError as error:
            if is_writing() or not is_lost(error):
                raise
        # Not a rollback: it would expire the rows that were read before.
        session.close()
        return method(session, *args, **options)

    return cast(Method, attempt)


class GuardedSession(FlaskSession):
    """A session that lives for one unit of work and one scope."""

    execute = _repeated_if_lost(FlaskSession.execute)
    scalars = _repeated_if_lost(FlaskSession.scalars)
    scalar = _repeated_if_lost(FlaskSession.scalar)  # type: ignore[assignment, arg-type]

    @_repeated_if_lost
    def read(self, statement: Select[*tuple[Any, ...]], params: dict[str, Any]) -> Sequence[Row[Any]]:
        """The rows of a statement with a criterion of its own, without the ORM's bookkeeping."""
        return self.connection().execute(statement, params).all()

    def bulk_save_objects(self, *args: Any, **kwargs: Any) -> None:
        raise UnguardedStatement("Bulk saves skip the flush guard; use add_all().")

    bulk_insert_mappings = bulk_update_mappings = bulk_save_objects


# The option and its parameter are constants: a statement with them is compiled once for all tenants. Every
# execution reads the tenant anew.
_TENANT = bindparam("tenant_id", callable_=current_tenant, type_=Uuid())
OWN_ROWS: LoaderCriteriaOption = with_loader_criteria(
    Tenanted,
    lambda cls: cls.company_id == _TENANT,
    include_aliases=True,
    propagate_to_loaders=False,
    track_closure_variables=False,
)


@event.listens_for(GuardedSession, "do_orm_execute")
def _narrow(state: ORMExecuteState) -> None:
    if "unguarded" in state.execution_options:
        return
    if not state.is_orm_statement or state.is_from_statement:
        raise UnguardedStatement("Core and textual statements need the execution option unguarded=<reason>.")
    scope = _scope.get()
    if scope.company_id is None:
        _refuse_tenant_tables(state, scope)
        return
    if state.is_insert or (state.is_update and (state.parameters or _writes_company_id(state))):
        # An update by a list of parameters selects rows by their keys alone: no criterion is added.
        raise UnguardedStatement("Rows are inserted through the session, and their tenant never changes.")
    if not state.is_column_load:
        state.statement = state.statement.options(OWN_ROWS)


class TenantQuery:
    """A prepared read, compiled once. ``scoped`` has the tenant's criterion; ``single`` is alone in its transaction."""

    def __init__(self, statement: Select[*tuple[Any, ...]]) -> None:
        self.unscoped = statement
        scoped = statement.options(OWN_ROWS)
        self.scoped, self.single = scoped, scoped.execution_options(single_statement=True)


def _refuse_tenant_tables(state: ORMExecuteState, scope: Scope) -> None:
    allowed = PLATFORM_TABLES if scope.platform else frozenset()
    for table in _tables(state.statement):
        if is_tenant_table(table) and table.name not in allowed:
            raise TenantNotSet(f"{table.name} was asked for with no tenant bound.")


def _tables(statement: Any) -> Iterator[Table]:
    for element in visitors.iterate(statement):
        for table in (element, getattr(element, "table", None)):
            if isinstance(table, Table):
                yield table


def _writes_company_id(state: ORMExecuteState) -> bool:
    values = getattr(state.statement, "_values", None) or {}
    return any(getattr(column, "name", column) == "company_id" for column in values)


PLATFORM_TABLES = frozenset({"company"})
GLOBAL_TABLES: set[str] = set()


def is_tenant_table(table: Table) -> bool:
    return table.name in PLATFORM_TABLES or ("company_id" in table.c and table.name not in GLOBAL_TABLES)


@event.listens_for(GuardedSession, "before_flush")
def _stamp(session: Session, _context: UOWTransaction, _instances: Any) -> None:
    scope = _scope.get()
    for row in session.new:
        if isinstance(row, Tenanted):
            _stamp_new(row, scope)
    for row in (*session.dirty, *session.deleted):
        if isinstance(row, Tenanted):
            _check_tenant(row, scope)


def _stamp_new(row: Tenanted, scope: Scope) -> None:
    if scope.company_id is None:
        raise TenantNotSet(f"A {type(row).__name__} was added with no tenant bound.")
    if row.company_id is None:
        row.company_id = scope.company_id
    elif row.company_id != scope.company_id:
        raise ForeignTenant(f"A {type(row).__name__} of another tenant was added.")


def _check_tenant(row: Tenanted, scope: Scope) -> None:
    if inspect(row).attrs["company_id" if "company_id" in inspect(row).mapper.attrs else "id"].history.deleted:
        raise ForeignTenant(f"The tenant of a {type(row).__name__} cannot change.")
    if not scope.platform and row.company_id != scope.company_id:
        raise ForeignTenant(f"A {type(row).__name__} of another tenant was changed.")
