"""/users/invitations and /auth/accept-invitation"""

from typing import Any
from uuid import UUID

from flask import Response, request
from uuid_utils.compat import uuid7

from app.access.resources import actor
from app.accounts.auth.answers import TOKEN_IN_BODY, client_info, login_answer
from app.accounts.auth.schemas import LoginAnswerSchema
from app.accounts.invitations.models import Invitation
from app.accounts.invitations.schemas import AcceptSchema, InvitationSchema
from app.accounts.invitations.service import accept, invite, resend_invitation, revoke_invitation
from app.core.crud.crud import Crud
from app.core.db.lookup import not_found
from app.core.db.transaction import company_transaction
from app.core.web.body import answer, json_body
from app.core.web.declaration import CREATED, declare
from app.core.web.endpoint import Endpoint
from app.core.web.permission import require
from app.core.web.principal import principal
from app.users.control import require_control, user_of


class Invitations(Crud):
    """Invitations that nobody has accepted yet."""

    model, schema, path = Invitation, InvitationSchema, "/users/invitations"
    permission = "invitation"
    filters = ("user_id", "invited_by")
    verbs = ("list", "retrieve", "remove")

    def before(self, **ids: UUID) -> None:
        super().before(**ids)
        if request.method == "DELETE":
            require_control(user_of(Invitation, ids["id"]))

    def remove(self, row: Invitation) -> None:
        revoke_invitation(row, by=principal().user_id)


class Invite(Endpoint):
    """Invite a user. The user exists at once, and can sign in after following the mailed link."""

    path, permission, own_transaction = Invitations.path, Invitations.permission, True

    @declare("inviteUser", body=InvitationSchema(), answer=InvitationSchema(), errors=(404, 409), **CREATED)
    def post(self) -> Response:
        schema = InvitationSchema()
        values = schema.checked(json_body())
        role_ids, user_id = values.pop("role_ids", []), uuid7()
        if role_ids:
            require("user_role", "CREATE")
            require_control(user_id)
        invitation_id = invite({**values, "id": user_id}, role_ids, actor(), schema)
        with company_transaction(principal().company_id, writes=False):
            content = _serialize(invitation_id)
        return answer(content, 201, {"Location": f"{request.script_root}{self.path}/{invitation_id}"})


class ResendInvitation(Endpoint):
    """Resend an invitation. The new link replaces the previous one."""

    path, permission = f"{Invitations.path}/<id>/resend", Invitations.permission
    operations = {"POST": "UPDATE"}

    @declare("resendInvitation", answer=InvitationSchema())
    def post(self, id: UUID) -> Response:
        resend_invitation(id)
        return answer(_serialize(id))


class AcceptInvitation(Endpoint):
    """Accept an invitation. The token of the mailed link and a new password sign the user in."""

    access, path, parameters = "public", "/auth/accept-invitation", TOKEN_IN_BODY
    limits = "30/15 minutes"

    @declare(
        "acceptInvitation", body=AcceptSchema(), answer=LoginAnswerSchema(), errors=(403,), headers=("Set-Cookie",)
    )
    def post(self) -> Response:
        values = AcceptSchema().checked(json_body())
        signed_in = accept(values["token"], values["password"], client_info())
        return login_answer(signed_in, "Invitation accepted", in_body="token" in self.params)


def _serialize(invitation_id: UUID) -> dict[str, Any]:
    """Raises NotFound."""
    row = Invitations.reader.item(invitation_id)
    if row is None:
        raise not_found(Invitation)
    return Invitations.reader.as_item(row)
