"""Moving what refers to one row to another row of its kind, and back, driven by the foreign keys.

Of rows that cannot stand beside each other one loses: it is demoted where an index allows one flagged row, and
removed where a key allows one at all. A move raises row versions and leaves ``updated_at`` alone, by which an edit
that came later is told from it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple
from uuid import UUID

from sqlalchemy import (
    ColumnElement,
    Index,
    PrimaryKeyConstraint,
    Table,
    UniqueConstraint,
    delete,
    exists,
    func,
    select,
    update,
)
from sqlalchemy.orm import InstrumentedAttribute, aliased

from app.core.db.models import Timestamped, Versioned, db
from app.core.db.references import referrers
from app.core.db.row_json import Json, columns_of, insert_rows, to_json

TARGET, SOURCE = "target", "source"
SIDES = (TARGET, SOURCE)
KEYS_PER_STATEMENT = 5000
"""SQLite takes 32,766 parameters in one statement."""


class Sides(NamedTuple):
    """The ids of two rows; the first keeps what refers to it."""

    target: UUID
    source: UUID

    def losing(self, winner: str) -> tuple[UUID, UUID]:
        """The loser's id, and the winner's."""
        return (self.source, self.target) if winner == TARGET else (self.target, self.source)


class Clash(NamedTuple):
    """Two rows that cannot both stay as they are."""

    target: UUID
    source: UUID


@dataclass(frozen=True)
class Rule:
    """At most one row, or one whose ``flag`` is set, for each value of the ``same`` columns below one owner."""

    same: tuple[str, ...]
    flag: str


@dataclass(frozen=True)
class ReferringColumn:
    """Rows of ``model`` whose ``column`` says below which row they stand."""

    model: type[Any]
    column: InstrumentedAttribute[Any]

    @property
    def name(self) -> str:
        return str(self.model.__tablename__)

    @property
    def key(self) -> InstrumentedAttribute[Any]:
        """What names a row below its owner."""
        owner = {"company_id", self.column.key}
        [found] = [each.name for each in self.model.__table__.primary_key if each.name not in owner]
        return getattr(self.model, found)  # type: ignore[no-any-return]

    @property
    def rules(self) -> list[Rule]:
        return [rule for each in _unique(self.model.__table__) if (rule := self._rule(each)) is not None]

    def _rule(self, unique: UniqueConstraint | PrimaryKeyConstraint | Index) -> Rule | None:
        names = [each.name for each in unique.columns]
        if self.column.key not in names:
            return None
        where = unique.dialect_options["postgresql"]["where"] if isinstance(unique, Index) else None
        same = tuple(name for name in names if name not in ("company_id", self.column.key))
        return Rule(same, "" if where is None else str(where))

    def below(self, owner: UUID) -> ColumnElement[bool]:
        return self.column == owner

    def beaten(self, rule: Rule, loser: UUID, winner: UUID) -> ColumnElement[bool]:
        """Rows below the loser that one below the winner leaves no room for."""
        other = aliased(self.model)
        rivals = [other.company_id == self.model.company_id, getattr(other, self.column.key) == winner]
        rivals += [getattr(other, name) == getattr(self.model, name) for name in rule.same]
        mine = self.below(loser)
        if rule.flag:
            rivals.append(getattr(other, rule.flag))
            mine &= getattr(self.model, rule.flag)
        return mine & exists(select(getattr(other, self.key.key)).where(*rivals))

    def clashes(self, rule: Rule, sides: Sides) -> list[Clash]:
        mine, other = aliased(self.model), aliased(self.model)
        rivals = [mine.company_id == other.company_id]
        rivals += [getattr(mine, name) == getattr(other, name) for name in rule.same]
        if rule.flag:
            rivals += [getattr(mine, rule.flag), getattr(other, rule.flag)]
        of = [getattr(each, self.column.key) for each in (mine, other)]
        keys = [getattr(each, self.key.key) for each in (mine, other)]
        wanted = select(*keys).where(of[0] == sides.target, of[1] == sides.source, *rivals).order_by(*keys)
        return [Clash(*row) for row in db.session.execute(wanted)]

    def count(self, owner: UUID) -> int:
        return db.session.scalar(select(func.count()).select_from(self.model).where(self.below(owner))) or 0

    # What a move does

    def move(self, sides: Sides, winner: str, clashing: Iterable[Rule]) -> Json:
        """What is needed to take it back, ready for JSON."""
        kept: Json = {"removed": [], "demoted": {}}
        loser, keeper = sides.losing(winner)
        for rule in clashing:
            if rule.flag:
                kept["demoted"][rule.flag] = self._demote(rule, loser, keeper)
            else:
                kept["removed"] += self._remove(rule, loser, keeper)
        kept["moved"] = self._repoint(self.below(sides.source), sides.target)
        return kept

    def _remove(self, rule: Rule, loser: UUID, winner: UUID) -> list[Json]:
        beaten = self.beaten(rule, loser, winner)
        rows = [to_json(row._mapping) for row in db.session.execute(select(*columns_of(self.model)).where(beaten))]
        db.session.execute(delete(self.model).where(beaten).execution_options(synchronize_session=False))
        return rows

    def _demote(self, rule: Rule, loser: UUID, winner: UUID) -> Json:
        return self._changed(self.beaten(rule, loser, winner), {rule.flag: False})

    def _repoint(self, which: ColumnElement[bool], owner: UUID) -> Json:
        return self._changed(which, {self.column.key: owner})

    def _changed(self, which: ColumnElement[bool], values: Json) -> Json:
        """Keys and when each row was edited last, null where rows do not say."""
        if issubclass(self.model, Versioned):
            values |= {"row_version": self.model.row_version + 1}
        statement = update(self.model).where(which).values(values).returning(self.key, *self._edited)
        done = db.session.execute(statement.execution_options(synchronize_session=False))
        return {str(row[0]): _stamp(row) for row in done}

    @property
    def _edited(self) -> tuple[InstrumentedAttribute[Any], ...]:
        return (self.model.updated_at,) if issubclass(self.model, Timestamped) else ()

    # What takes it back

    def edited_since(self, kept: Json, owner: UUID) -> list[str]:
        """The keys of rows that were edited, and of moved ones that were deleted. Rows that do not say when they
        were edited are never among them."""
        if not self._edited:
            return []
        now = {str(row[0]): _stamp(row) for row in self._read(self.below(owner))}
        then: Json = dict(kept["moved"])
        for demoted in kept["demoted"].values():
            then |= {key: stamp for key, stamp in demoted.items() if key in now and key not in then}
        return [key for key, stamp in then.items() if now.get(key) != stamp]

    def _read(self, which: ColumnElement[bool]) -> Sequence[Any]:
        return db.session.execute(select(self.key, *self._edited).where(which)).all()

    def move_back(self, kept: Json, sides: Sides) -> None:
        for keys in _batches(kept["moved"]):
            self._repoint(self.below(sides.target) & self.key.in_(keys), sides.source)
        for flag, demoted in kept["demoted"].items():
            for keys in _batches(demoted):
                self._changed(self.key.in_(keys), {flag: True})
        insert_rows(self.model, kept["removed"])


def references(model: type[Any]) -> list[ReferringColumn]:
    """By name."""
    return sorted((ReferringColumn(*each) for each in referrers(model)), key=lambda each: each.name)


def _unique(table: Table) -> Iterator[UniqueConstraint | PrimaryKeyConstraint | Index]:
    for constraint in table.constraints:
        if isinstance(constraint, UniqueConstraint | PrimaryKeyConstraint):
            yield constraint
    yield from (index for index in table.indexes if index.unique)


def _stamp(row: Sequence[Any]) -> str | None:
    return row[1].isoformat() if len(row) > 1 else None


def _batches(keys: Mapping[str, Any]) -> Iterator[list[UUID]]:
    found = [UUID(key) for key in keys]
    for start in range(0, len(found), KEYS_PER_STATEMENT):
        yield found[start : start + KEYS_PER_STATEMENT]
