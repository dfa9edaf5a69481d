"""/customers/{id}/verify-email, and the page of the mailed link."""

import base64
import hashlib
from uuid import UUID

from flask import Response, request
from jinja2 import Environment, PackageLoader, StrictUndefined
from marshmallow import fields

from app.core.jobs.one_time_links import InvalidLink
from app.core.web.body import answer
from app.core.web.declaration import declare
from app.core.web.endpoint import Endpoint
from app.core.web.problems import render
from app.core.wire.schema import BaseSchema
from app.customers.verification.service import send_link, verify

SENT = "A mail with a link is on its way to the customer."
VERIFIED, ALREADY_VERIFIED, INVALID = "verified", "already_verified", "invalid"
MESSAGES = {VERIFIED: "The e-mail address is verified.", ALREADY_VERIFIED: "The e-mail address was verified already."}
HTML, JSON = "text/html", "application/json"
LANGUAGES = ("en", "fr")

_pages = Environment(loader=PackageLoader("app.customers.verification"), autoescape=True, undefined=StrictUndefined)
STYLE = _pages.get_template("page.css").render()
POLICY = (
    "default-src 'none'; "
    f"style-src 'sha256-{base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()}'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


class LinkSentSchema(BaseSchema):
    message = fields.String(dump_only=True)


class VerifiedSchema(BaseSchema):
    """``status`` is verified or already_verified."""

    status = fields.String(dump_only=True)
    message = fields.String(dump_only=True)


class SendVerification(Endpoint):
    path, permission, item = "/customers/<customer_id>/verify-email", "customer", "customer_id"
    operations = {"POST": "UPDATE"}

    @declare("sendCustomerVerification", answer=LinkSentSchema(), status=202, errors=(409, 429))
    def post(self, customer_id: UUID) -> Response:
        """Send a verification link to a customer, or to the linked user. It works once, for 24 hours."""
        send_link(customer_id)
        return answer({"message": SENT}, 202)


class VerifyCustomerEmail(Endpoint):
    """The target of a mailed link: a page for browsers, JSON for clients that accept it."""

    access, path, limits = "public", "/customers/verify-email", "30/15 minutes"
    parameters = {"GET": {"token": fields.String()}}

    @declare("verifyCustomerEmail", answer=VerifiedSchema(), media=(HTML, JSON), also=(400,))
    def get(self) -> Response:
        """Verify a customer's e-mail address by the token of a mailed link."""
        # Mail filters check links by HEAD, which therefore does not use the link up.
        response = Response(mimetype=HTML) if request.method == "HEAD" else self._verify()
        response.vary.update(("Accept", "Accept-Language"))
        return response

    def _verify(self) -> Response:
        wants_page = request.accept_mimetypes.best_match((HTML, JSON), HTML) == HTML
        try:
            status = VERIFIED if verify(self.params.get("token", "")) else ALREADY_VERIFIED
        except InvalidLink as error:
            return _page(INVALID, 400) if wants_page else render(error)
        return _page(status) if wants_page else answer({"status": status, "message": MESSAGES[status]})


def _page(status: str, code: int = 200) -> Response:
    language = request.accept_languages.best_match(LANGUAGES, LANGUAGES[0])
    text = _pages.get_template("page.html").render(language=language, status=status, style=STYLE)
    headers = {"Content-Security-Policy": POLICY, "Content-Language": language}
    return Response(text, code, mimetype=HTML, headers=headers)
