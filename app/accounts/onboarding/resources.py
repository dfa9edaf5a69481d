"""/auth/register, and the verification of addresses."""

from flask import Response, request

from app.accounts.auth.schemas import MessageSchema, TokenSchema
from app.accounts.onboarding.registration import check_open, request_registration
from app.accounts.onboarding.schemas import RegisterSchema
from app.accounts.onboarding.verification import request_link, verify_email
from app.accounts.passwords.schemas import ResetRequestSchema
from app.accounts.passwords.service import address_in
from app.core.web.body import answer, json_body
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint

REGISTERED = "If the address can be used, a mail with a link is on its way to it."
LINK_ASKED_FOR = "If a proof of this address is waited for, a mail with a new link is on its way."


class Register(Endpoint):
    """Sign up, as the first administrator of a new company or as a customer of one that takes customers."""

    access, path, limits = "public", "/auth/register", "10/hour"

    @declare("register", body=RegisterSchema(), answer=MessageSchema(), status=202, errors=(409,))
    def post(self) -> Response:
        wish = json_body()
        check_open(wish)
        request_registration(RegisterSchema().checked(wish), request.remote_addr)
        return answer({"message": REGISTERED}, 202)


class VerifyEmail(Endpoint):
    """Verify an e-mail address by the token of a mailed link. This completes a sign-up."""

    access, path, limits = "public", "/auth/verify-email", "30/15 minutes"

    @declare("verifyEmail", body=TokenSchema(), answer=MessageSchema(), errors=(403, 409))
    def post(self) -> Response:
        verify_email(TokenSchema().checked(json_body())["token"])
        return answer({"message": "The e-mail address is verified."})


class RequestVerification(Endpoint):
    """Request another verification link. The answer is the same for unknown addresses."""

    access, path, limits = "public", "/auth/verify-email/request", "50/hour;200/day"

    @declare("requestVerification", body=ResetRequestSchema(), answer=MessageSchema())
    def post(self) -> Response:
        request_link(address_in(json_body().get("email")))
        return answer({"message": LINK_ASKED_FOR})
