"""Split free-text addresses into fields, without guessing."""

import re
from dataclasses import dataclass

from app.customers.countries import country_code

STATE_AND_CODE = re.compile(r"(?P<state>[^\d,]{2,50}?)\.? (?P<code>\d[\d-]{3,9})")
CODE = re.compile(r"(?=.*\d)[A-Z0-9][A-Z0-9 -]{2,9}", re.IGNORECASE)
CODE_AND_CITY = re.compile(r"(?P<code>(?:[A-Z]{1,2}-)?\d{4,6}) (?P<city>[^\d,]{3,100})")
STATE_CODE = re.compile(r"[A-Z]{2}")
LONGEST = {"street_address": 255, "city": 100, "state": 100, "postal_code": 20}


@dataclass
class StructuredAddress:
    street_address: str = ""
    city: str = ""
    state: str | None = None
    postal_code: str | None = None
    country: str | None = None

    @property
    def is_plausible(self) -> bool:
        """Whether street and town have letters, the town no digits, and all fields fit their columns."""
        has_words = any(map(str.isalpha, self.street_address)) and any(map(str.isalpha, self.city))
        no_number = not any(map(str.isdigit, self.city))
        return has_words and no_number and all(len(getattr(self, name) or "") <= most for name, most in LONGEST.items())


def split_address(text: str) -> StructuredAddress | None:
    """The fields of ``123 Main St, Portland, OR, 97201``; None for a text without street and town."""
    pieces = [piece.strip() for piece in re.split(r"[,;\n]", text) if piece.strip()]
    address = StructuredAddress(country=_pop_country(pieces))
    _pop_postal_code(pieces, address)
    names_state = bool(address.postal_code) or bool(pieces and STATE_CODE.fullmatch(pieces[-1]))
    if names_state and len(pieces) > 2 and not address.state and not address.city:
        address.state = pieces.pop()
    if not address.city and len(pieces) > 1:
        address.city = pieces.pop()
    address.street_address = ", ".join(pieces)
    return address if address.is_plausible else None


def _pop_country(pieces: list[str]) -> str | None:
    """Two letters do not name a country, because CA is Canada and California."""
    last = pieces[-1] if len(pieces) > 1 else ""
    code = country_code(last) if len(last) > 2 or last in ("US", "UK") else None
    if code:
        pieces.pop()
    return code


def _pop_postal_code(pieces: list[str], address: StructuredAddress) -> None:
    """Take the postal code from the last piece, with a state or town beside it."""
    if len(pieces) < 2:
        return
    last = pieces.pop()
    if match := STATE_AND_CODE.fullmatch(last):
        address.postal_code = match["code"]
        # ``Springfield 62701`` names the town before its code, ``Springfield, IL 62701`` the state.
        if len(pieces) > 1 or STATE_CODE.fullmatch(match["state"]):
            address.state = match["state"]
        else:
            address.city = match["state"]
    elif match := CODE_AND_CITY.fullmatch(last):
        address.postal_code, address.city = match["code"], match["city"]
    elif CODE.fullmatch(last):
        address.postal_code = last
    else:
        pieces.append(last)
