"""Sign-in on the wire."""

from typing import Any

from marshmallow import ValidationError, fields, validate, validates_schema

from app.core.wire.schema import AddressToFind, BaseSchema, Flag, Text, Timestamp, read_only_id
from app.users.schemas import Password, UserSchema

MAX_LENGTH = 1024
OPTIONAL = {"optional": True}


class LoginSchema(BaseSchema):
    example = {"email": "admin@acme.example", "password": "tulip-anchor-violin-42"}
    email = AddressToFind(validate=validate.Length(max=MAX_LENGTH))
    username = Text(validate=validate.Length(max=MAX_LENGTH))
    password = Password(required=True)

    @validates_schema
    def _one_name(self, values: dict[str, Any], **_kwargs: Any) -> None:
        if ("email" in values) == ("username" in values):
            raise ValidationError({"email": ["Give either email or username."]})


class MessageSchema(BaseSchema):
    message = fields.String(dump_only=True)


class TokenSchema(BaseSchema):
    """The token of a mailed link, after ``#token=``."""

    token = Text(required=True, validate=validate.Length(max=MAX_LENGTH))


class TokensSchema(BaseSchema):
    """Present only with ``?token=body``. ``expires_in`` is in seconds."""

    access_token = fields.String(dump_only=True, metadata=OPTIONAL)
    refresh_token = fields.String(dump_only=True, metadata=OPTIONAL)
    token_type = fields.String(dump_only=True, metadata=OPTIONAL)
    expires_in = fields.Integer(dump_only=True, metadata=OPTIONAL)


class LoginAnswerSchema(TokensSchema):
    message = fields.String(dump_only=True)
    user = fields.Nested(UserSchema, dump_only=True)
    password_reset_required = Flag(dump_only=True)


class RefreshSchema(BaseSchema):
    example = {}
    refresh_token = Text(validate=validate.Length(min=1, max=MAX_LENGTH))


class RefreshAnswerSchema(TokensSchema):
    message = fields.String(dump_only=True)


class VerifySchema(BaseSchema):
    valid = Flag(dump_only=True)
    user_id = read_only_id()
    company_id = read_only_id()
    session_id = read_only_id(allow_none=True)
    email = fields.String(dump_only=True)
    exp = fields.Integer(dump_only=True)
    password_reset_required = Flag(dump_only=True)


class SessionSchema(BaseSchema):
    id = read_only_id()
    created_at = Timestamp()
    last_used_at = Timestamp()
    expires_at = Timestamp()
    ip = fields.String(dump_only=True, allow_none=True)
    user_agent = fields.String(dump_only=True, allow_none=True)
    is_current = Flag(dump_only=True)
