"""Query parameters as they came."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from app.base.errors import Invalid
from app.base.text import CONTROL

MAX_REPEATED = 20


CACHE_BUSTERS = frozenset({"t", "_"})


Args = Mapping[str, Sequence[str]]


def given_values(args: Args, allowed: Sequence[str], repeated: frozenset[str] = frozenset()) -> Args:
    """The values of each parameter, one unless it may be repeated. Raises Invalid for what is unknown."""
    unknown = [name for name in args if name not in allowed and name not in CACHE_BUSTERS]
    if unknown:
        known = f"Allowed: {', '.join(allowed)}." if allowed else "None is allowed here."
        raise Invalid(f"Unknown query parameter. {known}", errors={_shown(unknown[0]): [f"Unknown parameter. {known}"]})
    found = {name: list(values) for name, values in args.items() if name not in CACHE_BUSTERS}
    for name, values in found.items():
        if len(values) > (MAX_REPEATED if name in repeated else 1):
            raise Invalid.field(name, f"At most {MAX_REPEATED}." if name in repeated else "Given more than once.")
        if any(CONTROL.search(value) for value in values):
            raise Invalid.field(name, "Must not contain control characters.")
    return found


def single_values(args: Args, allowed: Sequence[str]) -> dict[str, str]:
    """Each parameter once. Raises Invalid for an unknown or repeated one."""
    return {name: values[0] for name, values in given_values(args, allowed).items()}


def _shown(name: str) -> str:
    return name.encode("utf-8", "replace").decode()[:100]


def one_of(name: str, value: str, allowed: Sequence[str]) -> str:
    """Raises Invalid."""
    if value not in allowed:
        raise Invalid.field(name, f"Must be one of: {', '.join(allowed)}.")
    return value


def boolean(name: str, text: str) -> bool:
    """Raises Invalid."""
    return one_of(name, text, ("true", "false")) == "true"
