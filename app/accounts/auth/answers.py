"""The answers of every kind of sign-in with their cookies, and the client of a request."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from flask import Response, request
from marshmallow import fields, validate

from app.accounts.auth.sessions import ClientInfo, SignedIn
from app.base.errors import Unauthenticated, Unavailable
from app.config.settings import Settings
from app.core.db.transaction import company_transaction
from app.core.security.tokens import Claims
from app.core.services import services
from app.core.web.body import answer
from app.core.web.principal import cookie_name
from app.users.resources import Users

ACCESS, REFRESH = "access_token", "refresh_token"
TOKEN_IN_BODY = {"POST": {"token": fields.String(validate=validate.OneOf(["body"]))}}


def client_info() -> ClientInfo:
    agent = request.headers.get("User-Agent")
    printable = agent and "".join(c for c in agent if c.isprintable()).encode("utf-8", "replace").decode()
    address = request.remote_addr and request.remote_addr[:45]
    return ClientInfo(address, printable[:255] if printable else None)


def claims() -> Claims | None:
    """The claims of a valid token on a public request, if there is one."""
    authenticator = services().authenticator
    token = authenticator.token_of(request)
    try:
        return authenticator.tokens.verify(token) if token else None
    except (Unauthenticated, Unavailable):
        return None


def login_answer(signed_in: SignedIn, message: str, *, in_body: bool) -> Response:
    """The user and both cookies. With ``in_body`` the tokens are in the body too, for programs."""
    user = user_item(signed_in.company_id, signed_in.user_id)
    content = {"message": message, "user": user, "password_reset_required": user["password_reset_required"]}
    return token_answer(content, signed_in, in_body=in_body)


def user_item(company_id: UUID, user_id: UUID) -> dict[str, Any]:
    """The user on the wire, in a transaction of its own. Raises Unauthenticated for a deleted one."""
    with company_transaction(company_id, writes=False):
        row = Users.reader.item(user_id)
    if row is None:
        raise Unauthenticated("The account was deleted a moment ago.")
    return Users.reader.as_item(row)


def token_answer(content: dict[str, Any], signed_in: SignedIn, *, in_body: bool) -> Response:
    settings = services().settings
    if in_body:
        content |= {
            "access_token": signed_in.access_token,
            "refresh_token": signed_in.refresh_token,
            "token_type": "Bearer",
            "expires_in": settings.access_token_ttl_minutes * 60,
        }
    response = answer(content)
    max_age = int((signed_in.expires_at - datetime.now(UTC)).total_seconds())
    # The access cookie outlives its token: middleware of a browser application must still see somebody signed in,
    # so that the expired token leads to a refresh and not to the sign-in page.
    _set_cookie(response, settings, ACCESS, signed_in.access_token, max_age)
    _set_cookie(response, settings, REFRESH, signed_in.refresh_token, max_age)
    return response


def clear_cookies(response: Response) -> None:
    for name in (ACCESS, REFRESH):
        _set_cookie(response, services().settings, name, "", 0)


def _set_cookie(response: Response, settings: Settings, name: str, value: str, max_age: int) -> None:
    default = "Lax" if name == ACCESS else "Strict"
    response.set_cookie(
        cookie_name(settings, name),
        value,
        max_age=max_age,
        path="/",
        httponly=True,
        secure=settings.is_deployed,
        samesite=settings.cookie_samesite or default,
    )
