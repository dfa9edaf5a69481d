"""The example companies of ``companies.yml``."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml


@dataclass(frozen=True)
class Example:
    """``company`` is the body of a POST.

    ``outline`` has one unit per line, indented below its parent: ``name: position; position``. The first position of
    a unit is held by one person, the second by several.
    """

    domain: str
    company: Mapping[str, Any]
    outline: str

    @property
    def name(self) -> str:
        return str(self.company["name"])

    @property
    def units(self) -> int:
        """The number of units, with the root."""
        return 1 + self.outline.count("\n")

    @property
    def positions(self) -> int:
        """The number of positions, with the administrator's in the root."""
        return self.units + self.outline.count(";")


EXAMPLES = tuple(Example(**company) for company in yaml.safe_load(Path(__file__).with_suffix(".yml").read_text()))
