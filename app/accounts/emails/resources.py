"""/users/me/email and /auth/confirm-email"""

from flask import Response, request

from app.accounts.auth.answers import claims
from app.accounts.auth.schemas import MessageSchema, TokenSchema
from app.accounts.emails.service import confirm_change, request_change
from app.core.web.body import answer, json_body
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.principal import principal
from app.core.wire.schema import BaseSchema, Email, column_field
from app.users.models import User
from app.users.schemas import Password


class ChangeEmailSchema(BaseSchema):
    example = {"new_email": "ada@acme.example", "current_password": "tulip-anchor-violin-42"}
    new_email = column_field(User.email, Email, required=True)
    current_password = Password(required=True)


class ChangeEmail(Endpoint):
    """Change the caller's e-mail address. The new one counts once its mailed link has been followed."""

    access, path, own_transaction = "self", "/users/me/email", True

    @declare("changeEmail", body=ChangeEmailSchema(), answer=MessageSchema(), status=202, errors=(409, 429))
    def post(self) -> Response:
        values = ChangeEmailSchema().checked(json_body())
        request_change(principal(), values["new_email"], values["current_password"], request.remote_addr)
        return answer({"message": "A mail with a link is on its way to the new address."}, 202)


class ConfirmEmail(Endpoint):
    """Confirm a new e-mail address by the token of a mailed link. Every other session ends."""

    access, path, limits = "public", "/auth/confirm-email", "30/15 minutes"

    @declare("confirmEmail", body=TokenSchema(), answer=MessageSchema(), errors=(409,))
    def post(self) -> Response:
        confirm_change(TokenSchema().checked(json_body())["token"], claims())
        return answer({"message": "The e-mail address was changed."})
