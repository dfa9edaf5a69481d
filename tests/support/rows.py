"""Rows of one test, where many inputs have one outcome and leave nothing behind."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import pytest
from _pytest._io.saferepr import saferepr
from _pytest.mark import ParameterSet

Test = Callable[..., None]
LABEL_LENGTH = 80


@dataclass(frozen=True)
class Row:
    label: str = ""
    values: dict[str, Any] = field(default_factory=dict)

    def __or__(self, other: Row) -> Row:
        return Row(" × ".join(filter(None, (self.label, other.label))), self.values | other.values)


def by_row(
    names: str | Sequence[str], values: Iterable[Any], ids: Iterable[object] | Callable[[Any], object] | None = None
) -> Callable[[Test], Test]:
    """Like ``pytest.mark.parametrize``, but each row is a subtest, and all rows share the fixtures of one test.

    Every row runs and is reported, whichever fails. Several decorators combine their rows.
    """
    columns = [name.strip() for name in names.split(",")] if isinstance(names, str) else list(names)
    table = [_row(columns, value, label) for value, label in _labelled(values, ids)]

    def decorate(test: Test) -> Test:
        body, inner = getattr(test, "rows", (test, [Row()]))
        combined = [row | other for row in table for other in inner]

        @functools.wraps(body)
        def run(subtests: pytest.Subtests, **fixtures: Any) -> None:
            for row in combined:
                with subtests.test(row.label):
                    body(**fixtures, **row.values)

        vars(run).update(vars(test), rows=(body, combined), __signature__=_signature(body, combined[0].values))
        return run

    return decorate


def _labelled(
    values: Iterable[Any], ids: Iterable[object] | Callable[[Any], object] | None
) -> Iterable[tuple[Any, object]]:
    if ids is None or callable(ids):
        return [(value, ids(value) if ids else None) for value in values]
    return zip_longest(values, ids)


def _row(columns: list[str], value: Any, label: object) -> Row:
    if isinstance(value, ParameterSet):
        cells, label = value.values, value.id or label
    else:
        cells = value if len(columns) > 1 else (value,)
    return Row(str(label or saferepr(value, LABEL_LENGTH)), dict(zip(columns, cells, strict=True)))


def _signature(body: Test, columns: Iterable[str]) -> inspect.Signature:
    """What pytest has to bring: the fixtures of the test, and ``subtests``."""
    parameters = inspect.signature(body).parameters
    fixtures = [parameter for name, parameter in parameters.items() if name not in set(columns)]
    return inspect.Signature([inspect.Parameter("subtests", inspect.Parameter.POSITIONAL_OR_KEYWORD), *fixtures])
