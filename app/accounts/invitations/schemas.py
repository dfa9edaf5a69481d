"""Invitations on the wire."""

from marshmallow import validate

from app.accounts.auth.schemas import TokenSchema
from app.core.wire.containers import Items
from app.core.wire.schema import BaseSchema, Email, Id, Ref, Timestamp, column_field, read_only_id
from app.positions.models import Position
from app.users.models import LANGUAGES, User
from app.users.schemas import Password

MOST_ROLES = 20


class InvitationSchema(BaseSchema):
    """The fields of the person are those of the user, and can be changed there."""

    example = {"email": "noor@acme.example", "first_name": "Noor", "language": "en"}
    id = read_only_id()
    user_id = read_only_id()
    email = column_field(User.email, Email, required=True)
    first_name = column_field(User.first_name)
    last_name = column_field(User.last_name)
    language = column_field(User.language, load_only=True, validate=[validate.OneOf(LANGUAGES)])
    position_id = Ref(Position, allow_none=True)
    role_ids = Items(Id(), load_only=True, validate=validate.Length(max=MOST_ROLES))
    invited_by = read_only_id(allow_none=True)
    created_at = Timestamp()
    updated_at = Timestamp()
    expires_at = Timestamp()


class AcceptSchema(TokenSchema):
    password = Password(required=True)
