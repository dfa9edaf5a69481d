"""Entries of the catalogue of permissions."""

from dataclasses import dataclass

KEY = ("service", "resource_name", "operation")
"""The names that identify an entry."""


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """An entry of the catalogue. Only platform users can use a ``platform`` one."""

    service: str
    resource_name: str
    operation: str
    platform: bool = False
    description: str = ""

    @property
    def names(self) -> dict[str, str]:
        """The values of ``KEY``."""
        return {name: getattr(self, name) for name in KEY}
