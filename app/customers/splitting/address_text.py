"""Free-text addresses taken apart: as much as can be told without guessing, or nothing."""

from __future__ import annotations

import re
from dataclasses import dataclass

from app.customers.countries import country_code

STATE_AND_CODE = re.compile(r"(?P<state>[^\d,]{2,50}?)\.? (?P<code>\d[\d-]{3,9})")
CODE = re.compile(r"(?=.*\d)[A-Z0-9][A-Z0-9 -]{2,9}", re.IGNORECASE)
CODE_AND_CITY = re.compile(r"(?P<code>(?:[A-Z]{1,2}-)?\d{4,6}) (?P<city>[^\d,]{3,100})")
STATE_CODE = re.compile(r"[A-Z]{2}")
LONGEST = {"street_address": 255, "city": 100, "state": 100, "postal_code": 20}


@dataclass
class Parts:
    street_address: str = ""
    city: str = ""
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None

    @property
    def is_plausible(self) -> bool:
        """A street and a town, neither of which is a number, all short enough to be stored."""
        has_words = any(map(str.isalpha, self.street_address)) and any(map(str.isalpha, self.city))
        no_number = not any(map(str.isdigit, self.city))
        return has_words and no_number and all(len(getattr(self, name) or "") <= most for name, most in LONGEST.items())


def split_address(text: str) -> Parts | None:
    """``123 Main St, Portland, OR, 97201`` and its like; None for what does not name a street and a town."""
    pieces = [piece.strip() for piece in re.split(r"[,;\n]", text) if piece.strip()]
    found = Parts(country=_taken_country(pieces))
    _take_code(pieces, found)
    names_state = bool(found.postal_code) or bool(pieces and STATE_CODE.fullmatch(pieces[-1]))
    if names_state and len(pieces) > 2 and not found.state and not found.city:
        found.state = pieces.pop()
    if not found.city and len(pieces) > 1:
        found.city = pieces.pop()
    found.street_address = ", ".join(pieces)
    return found if found.is_plausible else None


def _taken_country(pieces: list[str]) -> str | None:
    """Two letters may as well be a state: CA is Canada and California."""
    last = pieces[-1] if len(pieces) > 1 else ""
    code = country_code(last) if len(last) > 2 or last in ("US", "UK") else None
    if code:
        pieces.pop()
    return code


def _take_code(pieces: list[str], found: Parts) -> None:
    """The postal code, alone or beside the state or the town."""
    if len(pieces) < 2:
        return
    last = pieces.pop()
    if match := STATE_AND_CODE.fullmatch(last):
        found.postal_code = match["code"]
        # ``Springfield 62701`` names the town there, ``Springfield, IL 62701`` the state.
        if len(pieces) > 1 or STATE_CODE.fullmatch(match["state"]):
            found.state = match["state"]
        else:
            found.city = match["state"]
    elif match := CODE_AND_CITY.fullmatch(last):
        found.postal_code, found.city = match["code"], match["city"]
    elif CODE.fullmatch(last):
        found.postal_code = last
    else:
        pieces.append(last)
