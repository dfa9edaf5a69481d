"""The codes of errors."""

from collections.abc import Iterable

from app.base.errors import known_codes
from app.core.web.problems import HTTP_CODES
from app.core.web.routing import Route


def error_codes(routes: Iterable[Route]) -> list[str]:
    endpoint_codes = {code for endpoint in {route.endpoint for route in routes} for code in endpoint.error_codes()}
    return sorted({*known_codes(), *HTTP_CODES.values(), *endpoint_codes})
