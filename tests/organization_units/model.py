"""The tree as a dictionary: slow, obvious, and what the service must agree with."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any


@dataclass
class Unit:
    name: str
    parent_id: str | None
    version: int = 1


@dataclass
class NaiveTree:
    """Answers the status that the service must answer, and keeps what it must keep."""

    units: dict[str, Unit] = field(default_factory=dict)

    def path(self, unit_id: str) -> str:
        parent_id = self.units[unit_id].parent_id
        return f"{self.path(parent_id) if parent_id else ''}/{unit_id}"

    def level(self, unit_id: str) -> int:
        return self.path(unit_id).count("/") - 1

    def children(self, unit_id: str | None) -> set[str]:
        return {each for each, unit in self.units.items() if unit.parent_id == unit_id}

    def descendants(self, unit_id: str) -> set[str]:
        children = self.children(unit_id)
        return children.union(*(self.descendants(child) for child in children))

    def ancestors(self, unit_id: str) -> list[str]:
        return self.path(unit_id).split("/")[1:-1]

    def nested(self, parent_id: str | None = None) -> dict[str, Any]:
        return {child: self.nested(child) for child in self.children(parent_id)}

    def rows(self) -> dict[str, tuple[Any, ...]]:
        """Name, parent, path, level and version of every unit."""
        return {
            each: (unit.name, unit.parent_id, self.path(each), self.level(each), unit.version)
            for each, unit in self.units.items()
        }

    def create_status(self, name: str, parent_id: str | None) -> int:
        return 409 if name in self._names(parent_id) else 201

    def create(self, unit_id: str, name: str, parent_id: str | None) -> None:
        self.units[unit_id] = Unit(name, parent_id)

    def change(self, unit_id: str, name: str, parent_id: str | None) -> int:
        """Move, rename, both, or neither."""
        unit, subtree = self.units[unit_id], {unit_id, *self.descendants(unit_id)}
        is_moved = parent_id != unit.parent_id
        if not is_moved and name == unit.name:
            return 200
        if parent_id in subtree:
            return 400
        if name in self._names(parent_id, but=unit_id):
            return 409
        unit.name, unit.parent_id = name, parent_id
        for each in subtree if is_moved else {unit_id}:
            self.units[each].version += 1
        return 200

    def delete(self, unit_id: str) -> int:
        for each in (unit_id, *self.descendants(unit_id)):
            del self.units[each]
        return 204

    def _names(self, parent_id: str | None, but: str = "") -> Iterator[str]:
        return (self.units[child].name for child in self.children(parent_id) - {but})
