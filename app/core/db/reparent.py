"""Move the references to one row to another row of its model, and back, by the foreign keys.

A unique key may allow only one of two rows. The loser is demoted where the key has a flag as its condition, and
removed otherwise. A move raises row versions but not ``updated_at``: a later edit can be recognized by that.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import ColumnElement, delete, exists, func, select, update
from sqlalchemy.orm import InstrumentedAttribute, aliased
from sqlalchemy.schema import Index, PrimaryKeyConstraint, Table, UniqueConstraint

from app.core.db.models import Timestamped, Versioned, db, referrers
from app.core.db.row_json import Json, insert_rows, read_rows
from app.core.db.transaction import execute_and_count

TARGET, SOURCE = "target", "source"
SIDES = (TARGET, SOURCE)
KEYS_PER_STATEMENT = 5000
"""SQLite takes 32,766 parameters in one statement."""


class Sides(NamedTuple):
    """The ids of two rows: those between which references move, or two of which a rule allows only one."""

    target: UUID
    source: UUID


@dataclass(frozen=True)
class UniqueRule:
    """At most one row, or one whose ``flag`` is set, for each value of the ``same`` columns below one owner."""

    same: tuple[str, ...]
    flag: str


@dataclass(frozen=True)
class ReferringColumn:
    """A foreign key: the rows of ``model`` refer to their owner by ``column``."""

    model: type[Any]
    column: InstrumentedAttribute[Any]

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)

    @property
    def key(self) -> InstrumentedAttribute[Any]:
        """The column of the primary key that identifies a row below its owner."""
        owner = {"company_id", self.column.key}
        [name] = [column.name for column in self.model.__table__.primary_key if column.name not in owner]
        return getattr(self.model, name)  # type: ignore[no-any-return]

    @property
    def rules(self) -> list[UniqueRule]:
        return [rule for key in _unique_keys(self.model.__table__) if (rule := self._rule(key)) is not None]

    def _rule(self, unique: UniqueConstraint | PrimaryKeyConstraint | Index) -> UniqueRule | None:
        names = [column.name for column in unique.columns]
        if self.column.key not in names:
            return None
        where = unique.dialect_options["postgresql"]["where"] if isinstance(unique, Index) else None
        same = tuple(name for name in names if name not in ("company_id", self.column.key))
        return UniqueRule(same, "" if where is None else str(where))

    def losers(self, rule: UniqueRule, loser: UUID, winner: UUID) -> ColumnElement[bool]:
        """Rows below the loser that clash with a row below the winner."""
        other = aliased(self.model)
        rivals = [other.company_id == self.model.company_id, getattr(other, self.column.key) == winner]
        rivals += [getattr(other, name) == getattr(self.model, name) for name in rule.same]
        mine = self.column == loser
        if rule.flag:
            rivals.append(getattr(other, rule.flag))
            mine &= getattr(self.model, rule.flag)
        return mine & exists(select(getattr(other, self.key.key)).where(*rivals))

    def clashes(self, rule: UniqueRule, sides: Sides) -> list[Sides]:
        """The keys of rows of which the rule allows only one."""
        mine, other = aliased(self.model), aliased(self.model)
        rivals = [mine.company_id == other.company_id]
        rivals += [getattr(mine, name) == getattr(other, name) for name in rule.same]
        if rule.flag:
            rivals += [getattr(mine, rule.flag), getattr(other, rule.flag)]
        rivals += [getattr(mine, self.column.key) == sides.target, getattr(other, self.column.key) == sides.source]
        keys = [getattr(row, self.key.key) for row in (mine, other)]
        return [Sides(*row) for row in db.session.execute(select(*keys).where(*rivals).order_by(*keys))]

    def count(self, owner: UUID) -> int:
        return db.session.scalar(select(func.count()).select_from(self.model).where(self.column == owner)) or 0

    # Moving

    def move(self, sides: Sides, winner: str, clashing: Iterable[UniqueRule]) -> Json:
        """Returns the undo log for ``move_back``, ready for JSON."""
        undo_log: Json = {"removed": [], "demoted": {}}
        ids = (sides.source, sides.target) if winner == TARGET else sides
        for rule in clashing:
            losers = self.losers(rule, *ids)
            if rule.flag:
                undo_log["demoted"][rule.flag] = self._update(losers, {rule.flag: False})
            else:
                undo_log["removed"] += self._remove(losers)
        undo_log["moved"] = self._update(self.column == sides.source, {self.column.key: sides.target})
        return undo_log

    def _remove(self, where: ColumnElement[bool]) -> list[Json]:
        rows = read_rows(self.model, where)
        execute_and_count(delete(self.model).where(where))
        return rows

    def _update(self, where: ColumnElement[bool], values: Json) -> Json:
        """Returns the rows' keys with the time of the last edit, null in models without it."""
        if issubclass(self.model, Versioned):
            values |= {"row_version": self.model.row_version + 1}
        statement = update(self.model).where(where).values(values).returning(self.key, *self._updated_at)
        rows = db.session.execute(statement.execution_options(synchronize_session=False))
        return {str(row[0]): _time_of_edit(row) for row in rows}

    @property
    def _updated_at(self) -> tuple[InstrumentedAttribute[Any], ...]:
        return (self.model.updated_at,) if issubclass(self.model, Timestamped) else ()

    # Moving back

    def edited_since(self, undo_log: Json, owner: UUID) -> list[str]:
        """The keys of rows that were edited, and of moved rows that were deleted; none in models without a time."""
        if not self._updated_at:
            return []
        rows = db.session.execute(select(self.key, *self._updated_at).where(self.column == owner))
        now = {str(row[0]): _time_of_edit(row) for row in rows}
        then: Json = dict(undo_log["moved"])
        for demoted in undo_log["demoted"].values():
            then |= {key: time for key, time in demoted.items() if key in now and key not in then}
        return [key for key, time in then.items() if now.get(key) != time]

    def move_back(self, undo_log: Json, sides: Sides) -> None:
        for keys in _batches(undo_log["moved"]):
            self._update((self.column == sides.target) & self.key.in_(keys), {self.column.key: sides.source})
        for flag, demoted in undo_log["demoted"].items():
            for keys in _batches(demoted):
                self._update(self.key.in_(keys), {flag: True})
        insert_rows(self.model, undo_log["removed"])


def referring_columns(model: type[Any]) -> list[ReferringColumn]:
    """Sorted by name."""
    return sorted((ReferringColumn(*pair) for pair in referrers(model)), key=lambda reference: reference.name)


def _unique_keys(table: Table) -> Iterator[UniqueConstraint | PrimaryKeyConstraint | Index]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
            yield constraint
    yield from (index for index in table.indexes if index.unique)


def _time_of_edit(row: Sequence[Any]) -> str | None:
    return row[1].isoformat() if len(row) > 1 else None


def _batches(keys: Mapping[str, Any]) -> Iterator[list[UUID]]:
    ids = [UUID(key) for key in keys]
    for start in range(0, len(ids), KEYS_PER_STATEMENT):
        yield ids[start : start + KEYS_PER_STATEMENT]
