"""/auth/…"""

from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import and_

from app.accounts.auth import answers, schemas
from app.accounts.auth.models import AuthSession
from app.accounts.auth.rotation import refresh
from app.accounts.auth.service import Credentials, sign_in
from app.accounts.auth.sessions import end_sessions, live_sessions, revoke, sign_out
from app.base.errors import NotFound, TokenMissing, Unauthenticated
from app.core.crud.crud import Crud
from app.core.services import services
from app.core.web.body import answer, json_body, no_content, optional_json_body
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import cookie_name, cookie_of, principal


class SessionNotFound(NotFound):
    code, message = "SESSION_NOT_FOUND", "Session not found."


class Login(Endpoint):
    """Sign in with an e-mail address or user name and a password."""

    access, path, parameters, limits = "public", "/auth/login", answers.TOKEN_IN_BODY, "30/minute"

    @declare(
        "login",
        body=schemas.LoginSchema(),
        answer=schemas.LoginAnswerSchema(),
        errors=(401, 403, 429),
        headers=("Set-Cookie",),
    )
    def post(self) -> Response:
        values = schemas.LoginSchema().checked(json_body())
        name = "email" if "email" in values else "username"
        signed_in = sign_in(Credentials(name, values[name], values["password"], answers.client_info()))
        return answers.login_answer(signed_in, "Login successful", in_body="token" in self.params)


def _refresh_cookie() -> str | None:
    return cookie_of(request, cookie_name(services().settings, answers.REFRESH))


class Refresh(Endpoint):
    """Refresh the tokens. The refresh token comes from the cookie or the body and works once."""

    access, path, parameters = "public", "/auth/refresh", answers.TOKEN_IN_BODY
    limits, limited_prefix = "60/minute", 24

    @declare(
        "refreshToken",
        body=schemas.RefreshSchema(),
        answer=schemas.RefreshAnswerSchema(),
        errors=(401, 403),
        headers=("Set-Cookie",),
    )
    def post(self) -> Response:
        body_token = schemas.RefreshSchema().checked(optional_json_body()).get("refresh_token")
        token = body_token or _refresh_cookie()
        if not token:
            raise Unauthenticated("There is no refresh token.", code=TokenMissing.code)
        in_body = body_token is not None or "token" in self.params
        return answers.token_answer({"message": "Token refreshed"}, refresh(token), in_body=in_body)


class Logout(Endpoint):
    """Sign out. The session ends and the cookies are cleared; 200 also without a session."""

    access, path, limits, limited_prefix = "public", "/auth/logout", "60/minute", 24

    @declare("logout", body=schemas.RefreshSchema(), answer=schemas.MessageSchema(), headers=("Set-Cookie",))
    def post(self) -> Response:
        body_token = schemas.RefreshSchema().checked(optional_json_body()).get("refresh_token")
        sign_out(answers.claims(), body_token or _refresh_cookie())
        response = answer({"message": "Logout successful"})
        answers.clear_cookies(response)
        return response


class Verify(Endpoint):
    """Verify the caller's token."""

    access, path = "self", "/auth/verify"
    own_transaction = usable_before_password_change = True

    @declare("verifyToken", answer=schemas.VerifySchema())
    def get(self) -> Response:
        me = principal()
        return answer(
            {
                "valid": True,
                "user_id": me.user_id,
                "company_id": me.company_id,
                "session_id": me.session_id,
                "email": me.email,
                "exp": int(me.expires_at.timestamp()),
                "password_reset_required": me.password_reset_required,
            }
        )


class Sessions(Crud):
    """The caller's live sessions."""

    model, schema, path = AuthSession, schemas.SessionSchema, "/auth/sessions"
    access = "self"
    sort = ("created_at", "last_used_at")
    verbs = ("list",)

    def base_filter(self, parent_id: UUID | None) -> tuple[Any, ...]:
        return live_sessions(principal().user_id)

    def add_computed(self, items: list[dict[str, Any]]) -> None:
        for item in items:
            item["is_current"] = item["id"] == principal().session_id


class OtherSessions(Endpoint):
    access, path = "self", "/auth/sessions"

    @declare("endOtherSessions", status=204)
    def delete(self) -> Response:
        """End all other sessions of the caller."""
        end_sessions(principal().user_id, "revoked", except_for=principal().session_id)
        return no_content()


class OneSession(Endpoint):
    access, path = "self", "/auth/sessions/<id>"

    @declare("endSession", status=204, errors=(404,))
    def delete(self, id: UUID) -> Response:
        """End one session of the caller."""
        own_session = and_(AuthSession.id == id, *live_sessions(principal().user_id))
        if not revoke(own_session, "revoked"):
            raise SessionNotFound()
        return no_content()


class KeySet(Endpoint):
    """List the public keys that verify access tokens (RFC 7517)."""

    access, path = "public", "/.well-known/jwks.json"

    @declare(
        "listKeys", answer={"type": "object", "properties": {"keys": {"type": "array", "items": {"type": "object"}}}}
    )
    def get(self) -> Response:
        return answer(services().tokens.public_keys(), 200, {"Cache-Control": "public, max-age=300"})
