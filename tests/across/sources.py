"""The sources of the application as syntax trees."""

import ast
from collections.abc import Iterator
from functools import cache
from typing import Any

from app.config.settings import ROOT
from app.core.web.endpoint import Endpoint


@cache
def sources(folder: str = "app") -> dict[str, ast.Module]:
    paths = sorted((ROOT / folder).rglob("*.py"))
    return {path.relative_to(ROOT).as_posix(): ast.parse(path.read_text(encoding="utf-8")) for path in paths}


def subclasses(parent: type[Any]) -> Iterator[type[Any]]:
    for each in parent.__subclasses__():
        yield each
        yield from subclasses(each)


def endpoints() -> list[type[Endpoint]]:
    return [each for each in subclasses(Endpoint) if each.__module__.startswith("app.") and not each.is_abstract]
