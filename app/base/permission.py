"""An entry of the catalogue of permissions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


@dataclass(frozen=True, slots=True, order=True)
class Permission:
    """An entry of the catalogue. Only platform users can use a ``platform`` one."""

    service: str
    resource_name: str
    operation: str
    platform: bool = False
    description: str = ""
