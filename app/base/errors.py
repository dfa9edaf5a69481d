"""The error tree: refusals with a status, a stable code and a sentence for the caller."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any, ClassVar

Messages = Mapping[str, Any]
MOST_NAMED = 20
MOST_CHARACTERS_OF_A_NAME = 100


class ApiError(Exception):
    """A refusal with a status, a stable code and a sentence for the caller.

    Without ``detail`` the sentence follows from ``errors``. ``members`` are further ones of the problem document.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "INTERNAL_ERROR"
    message: ClassVar[str] = "An internal error occurred."

    def __init__(
        self,
        detail: str | None = None,
        *,
        code: str | None = None,
        errors: Messages | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        self.detail = detail or (errors and summary_of(errors)) or self.message
        super().__init__(self.detail)
        self.error_code = code or self.code
        self.errors = errors
        self.headers = dict(headers or {})
        self.members: dict[str, Any] = {}


def summary_of(errors: Messages) -> str:
    """``email: Not found.`` for one faulty field, ``3 fields are not valid: a, b, c`` for several."""
    faults = dict(_faults(errors))
    if len(faults) == 1:
        [(name, message)] = faults.items()
        return f"{name}: {message}" if name else message
    rest = ", …" if len(faults) > MOST_NAMED else ""
    return f"{len(faults)} fields are not valid: {', '.join(islice(faults, MOST_NAMED))}{rest}"


def _faults(errors: Messages, place: str = "") -> Iterator[tuple[str, str]]:
    """Each faulty field by its path, such as ``admin.email``, with its messages. An object itself has no name."""
    for name, found in errors.items():
        path = place if name == "_schema" else f"{place}.{name}".lstrip(".")[:MOST_CHARACTERS_OF_A_NAME]
        if isinstance(found, Mapping):
            yield from _faults(found, path)
        else:
            yield path, " ".join(map(str, found if isinstance(found, list) else [found]))


class BadRequest(ApiError):
    status, code, message = 400, "BAD_REQUEST", "The request is malformed."


class Invalid(BadRequest):
    """Field messages in marshmallow's form, ``{field: [message, …]}``."""

    code, message = "VALIDATION_ERROR", "The request is not valid."

    @classmethod
    def field(cls, name: str, message: str) -> Invalid:
        return cls(errors={name: [message]})


class MalformedJson(BadRequest):
    code, message = "MALFORMED_JSON", "The body is not valid JSON."


class InvalidId(BadRequest):
    code, message = "INVALID_ID", "The id is not a UUID."


class Unauthenticated(ApiError):
    """RFC 6750 section 3 requires the challenge on every 401."""

    status, code, message = 401, "UNAUTHENTICATED", "Authentication is required."
    challenge: ClassVar[str] = "Bearer"

    def __init__(self, detail: str | None = None, *, code: str | None = None) -> None:
        super().__init__(detail, code=code, headers={"WWW-Authenticate": self.challenge})


class TokenMissing(Unauthenticated):
    """Browser applications of document 003 refresh their tokens on the words of this message."""

    code, message = "TOKEN_MISSING", "Missing or invalid JWT token"


class TokenInvalid(TokenMissing):
    """RFC 6750 section 3.1: one code of the challenge for every token that is not accepted."""

    code, challenge = "TOKEN_INVALID", 'Bearer error="invalid_token"'


class TokenExpired(TokenInvalid):
    code = "TOKEN_EXPIRED"


class SessionEnded(TokenInvalid):
    code = "SESSION_ENDED"


class Forbidden(ApiError):
    status, code, message = 403, "ACCESS_DENIED", "You are not allowed to do this."


class NotFound(ApiError):
    status, code, message = 404, "NOT_FOUND", "Not found."


class UnsupportedMediaType(ApiError):
    status, code, message = 415, "UNSUPPORTED_MEDIA_TYPE", "The body must be application/json."


class Conflict(ApiError):
    status, code, message = 409, "CONFLICT", "The resource was changed at the same time."

    @classmethod
    def field(cls, name: str, message: str = "Already in use.") -> Conflict:
        return cls(errors={name: [message]})


class PreconditionFailed(ApiError):
    status, code, message = 412, "PRECONDITION_FAILED", "The resource is no longer the version that If-Match names."


class TooManyRequests(ApiError):
    """``retry_after`` is in whole seconds (RFC 9110 section 10.2.3). ``limit`` is the number of allowed attempts."""

    status, code, message = 429, "RATE_LIMITED", "Too many attempts. Try again later."

    def __init__(self, retry_after: int, *, limit: int | None = None) -> None:
        seconds, bound = str(retry_after), {} if limit is None else {"RateLimit-Limit": str(limit)}
        rest = {"RateLimit-Remaining": "0", "RateLimit-Reset": seconds}
        super().__init__(headers={"Retry-After": seconds, **bound, **rest})


class BadGateway(ApiError):
    status, code, message = 502, "BAD_GATEWAY", "A service behind this one gave no usable answer."


class Unavailable(ApiError):
    status, code, message = 503, "UNAVAILABLE", "The service is temporarily unavailable."

    def __init__(self, detail: str | None = None, *, code: str | None = None, retry_after: int = 1):
        super().__init__(detail, code=code, headers={"Retry-After": str(retry_after)})


class GatewayTimeout(ApiError):
    status, code, message = 504, "GATEWAY_TIMEOUT", "A service behind this one did not answer in time."


def known_codes() -> frozenset[str]:
    """The codes of all classes of errors."""
    kinds = [ApiError]
    for kind in kinds:
        kinds += kind.__subclasses__()
    return frozenset(kind.code for kind in kinds)


class SettingsError(Exception):
    """``faults`` has one sentence for each invalid setting."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("The configuration is not valid:\n" + "\n".join(f"  - {fault}" for fault in faults))
        self.faults = faults
