"""Countries by their codes of ISO 3166-1 alpha-2. Input may also be an alpha-3 code or an English name."""

from functools import cache
from typing import Any

from app.base.text import fold
from app.core.wire.schema import Text

COMMON = {
    "UK": "GB",
    "England": "GB",
    "Scotland": "GB",
    "Wales": "GB",
    "Turkey": "TR",
    "Russia": "RU",
    "Ivory Coast": "CI",
}
"""Common names that the standard lacks."""
NAMED_BY = ("alpha_2", "alpha_3", "name", "official_name", "common_name")


@cache
def _codes() -> dict[str, str]:
    import pycountry

    codes = {fold(name): code for name, code in COMMON.items()}
    for country in pycountry.countries:
        names = (getattr(country, attribute, None) for attribute in NAMED_BY)
        codes |= {fold(name): country.alpha_2 for name in names if name}
    return codes


def country_code(text: str) -> str | None:
    """``US`` for US, USA, United States …, ignoring case; None if there is no such country."""
    return _codes().get(fold(text.strip().removesuffix(".")))


class Country(Text):
    """Stored as the alpha-2 code."""

    default_error_messages = {"country": "Must be a country: an ISO 3166-1 code or an English name."}

    def __init__(self, **kwargs: Any) -> None:
        metadata = {"description": "ISO 3166-1 alpha-2; alpha-3 codes and English names are accepted.", "example": "US"}
        super().__init__(metadata=metadata, **kwargs)

    def _deserialize(self, value: Any, attr: str | None, data: Any, **kwargs: Any) -> str:
        code = country_code(super()._deserialize(value, attr, data, **kwargs))
        if code is None:
            raise self.make_error("country")
        return code
