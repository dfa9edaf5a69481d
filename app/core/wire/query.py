"""Query parameters as texts, before any field loads them."""

from collections.abc import Mapping, Sequence
from difflib import get_close_matches

from app.base.errors import Invalid
from app.base.text import CONTROL, MOST_MARKS, has_long_run_of_marks, printable
from app.core.wire.own_ids import without_own_ids

MAX_REPEATED = 20
CACHE_BUSTERS = frozenset({"t", "_"})

Args = Mapping[str, Sequence[str]]


def parse_parameters(args: Args, allowed: Sequence[str], repeated: frozenset[str] = frozenset()) -> Args:
    """The values of each parameter. Raises Invalid for an unknown parameter and for a wrongly repeated one."""
    refused = {name: ",".join(args[name]) for name in args if name not in allowed and name not in CACHE_BUSTERS}
    if refused:
        args = {name: values for name, values in args.items() if name not in refused}
        refused = without_own_ids(refused, allowed)
    for name in refused:
        known = f"Allowed: {', '.join(allowed)}." if allowed else "None is allowed here."
        shown = printable(name)[:100]
        raise Invalid.field(shown, f"Unknown parameter. {known}{_guess(shown, allowed)}")
    parameters = {name: list(values) for name, values in args.items() if name not in CACHE_BUSTERS}
    for name, values in parameters.items():
        if len(values) > (MAX_REPEATED if name in repeated else 1):
            raise Invalid.field(name, f"At most {MAX_REPEATED}." if name in repeated else "Given more than once.")
        if any(CONTROL.search(value) for value in values):
            raise Invalid.field(name, "Must not contain control characters.")
        if any(map(has_long_run_of_marks, values)):
            raise Invalid.field(name, f"Must not contain more than {MOST_MARKS} combining marks in a row.")
    return parameters


def parse_choice(name: str, value: str, allowed: Sequence[str]) -> str:
    """Raises Invalid."""
    if value not in allowed:
        raise Invalid.field(name, f"Must be one of: {', '.join(allowed)}.{_guess(value, allowed)}")
    return value


def _guess(text: str, allowed: Sequence[str]) -> str:
    """What was probably meant. The comparison is slow, so that it takes only the beginning of a text."""
    return "".join(f" Did you mean {match}?" for match in get_close_matches(text[:50].lower(), allowed, n=1))


def parse_boolean(name: str, text: str) -> bool:
    """Raises Invalid."""
    return parse_choice(name, text, ("true", "false")) == "true"
