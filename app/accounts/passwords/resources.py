"""Changes and resets of passwords, and /verify_password."""

import hmac
from collections.abc import Callable
from uuid import UUID

from flask import Response, request

from app.accounts.auth.answers import client_info, user_item
from app.accounts.auth.schemas import MessageSchema
from app.accounts.auth.service import Account, Credentials, verify_credentials, verify_credentials_for_service
from app.accounts.passwords import schemas
from app.accounts.passwords.service import (
    change_password,
    confirm_reset,
    request_reset,
    reset_by_administrator,
    temporary_password,
)
from app.base.errors import Forbidden, Unauthenticated
from app.core.services import services
from app.core.web.body import answer, json_body
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.users.control import CONTROL, require_control
from app.users.schemas import UserSchema

REQUESTED = "If an account with this email exists, a password reset code has been sent."
ONCE = "User must change password on next login. This is the only time the temporary password will be shown."


class ChangePassword(Endpoint):
    """Change the caller's password. All other sessions end."""

    access, path = "self", "/users/me/change-password"
    own_transaction = usable_before_password_change = True

    @declare("changePassword", body=schemas.ChangePasswordSchema(), answer=MessageSchema(), errors=(409, 429))
    def patch(self) -> Response:
        values = schemas.ChangePasswordSchema().checked(json_body())
        change_password(principal(), values["current_password"], values["new_password"], request.remote_addr)
        return answer({"message": "Password changed successfully"})


class ResetRequest(Endpoint):
    """Request a password reset code. The answer is the same for unknown addresses."""

    access, path, limits = "public", "/users/password-reset/request", "50/hour;200/day"

    @declare("requestPasswordReset", body=schemas.ResetRequestSchema(), answer=MessageSchema())
    def post(self) -> Response:
        request_reset(json_body().get("email"), request.remote_addr)
        return answer({"message": REQUESTED})


class ResetConfirmation(Endpoint):
    """Set a new password with a mailed code. All sessions end."""

    access, path, limits = "public", "/users/password-reset/confirm", "10/15 minutes"

    @declare("confirmPasswordReset", body=schemas.ResetConfirmationSchema(), answer=MessageSchema())
    def post(self) -> Response:
        values = schemas.ResetConfirmationSchema().checked(json_body())
        confirm_reset(values["email"], values["otp_code"], values["new_password"], request.remote_addr)
        return answer({"message": "Password reset successful"})


class AdminReset(Endpoint):
    """Reset the password of a user. The temporary one is shown once and must be changed first; sessions end.

    This also needs user_account UPDATE.
    """

    permission, path = "admin_password_reset", "/users/<id>/admin-reset-password"
    operations, also_required = {"POST": "UPDATE"}, (CONTROL,)
    bodies = {"POST": schemas.NothingSchema()}

    def before(self, **ids: UUID) -> None:
        require_control(ids["id"])
        self.temporary_password = temporary_password()
        self.password_hash = services().passwords.hash(self.temporary_password)

    @declare(
        "resetPasswordOfUser", body=schemas.NothingSchema(), answer=schemas.TemporaryPasswordSchema(), errors=(404, 409)
    )
    def post(self, id: UUID) -> Response:
        reset_by_administrator(id, self.password_hash, by=principal().user_id)
        self.body()
        return answer(
            {
                "message": "Password reset successful",
                "temporary_password": self.temporary_password,
                "password_reset_required": True,
                "note": ONCE,
            }
        )


class VerifyPassword(Endpoint):
    """Verify a password, for an external authentication service. The service sends X-Internal-Token."""

    access, path, limits = "public", "/verify_password", "30/minute"

    @classmethod
    def is_unlimited(cls) -> bool:
        return _has_internal_token()

    @declare("verifyPassword", body=schemas.CredentialsSchema(), answer=UserSchema(), errors=(401, 403))
    def post(self) -> Response:
        settings, is_internal = services().settings, _has_internal_token()
        if settings.flask_env == "production" and not (is_internal or settings.verify_password_public):
            raise Unauthenticated("The X-Internal-Token header is missing or wrong.")
        values = schemas.CredentialsSchema().checked(json_body())
        credentials = Credentials("email", values["email"], values["password"], client_info())
        account = _verify(credentials, verify_credentials_for_service if is_internal else verify_credentials)
        return answer(user_item(account.company_id, account.user_id))


def _has_internal_token() -> bool:
    expected = services().settings.internal_auth_token
    token = request.headers.get("X-Internal-Token", "")
    return bool(expected) and hmac.compare_digest(token.encode("utf-8", "replace"), expected.encode())


def _verify(credentials: Credentials, verify: Callable[[Credentials], Account]) -> Account:
    """Raises Forbidden where a sign-in raises Unauthenticated (document 003)."""
    try:
        return verify(credentials)
    except Unauthenticated as error:
        raise Forbidden(error.detail, code=error.error_code) from None
