"""Changes and verification of passwords on the wire."""

from typing import Any

from marshmallow import INCLUDE, fields, validate

from app.accounts.auth.schemas import MAX_LENGTH
from app.core.wire.schema import AddressToFind, BaseSchema, Flag
from app.users.schemas import Password


class ChangePasswordSchema(BaseSchema):
    current_password = Password(required=True)
    new_password = Password(required=True)


class ResetRequestSchema(BaseSchema):
    """Accepts any object: a fault must not get a different answer."""

    example = {"email": "admin@acme.example"}
    email: fields.Field[Any] = fields.Raw(load_only=True, allow_none=True, metadata={"example": "user@example.com"})

    class Meta(BaseSchema.Meta):
        unknown = INCLUDE


class ResetConfirmationSchema(BaseSchema):
    """The code is not stripped: no mailed code has spaces around it."""

    email = AddressToFind(required=True, validate=validate.Length(max=MAX_LENGTH))
    otp_code = fields.String(required=True, validate=validate.Length(max=MAX_LENGTH))
    new_password = Password(required=True)


class CredentialsSchema(BaseSchema):
    email = AddressToFind(required=True, validate=validate.Length(max=MAX_LENGTH))
    password = Password(required=True)


class NothingSchema(BaseSchema):
    """An empty object."""


class TemporaryPasswordSchema(BaseSchema):
    message = fields.String(dump_only=True)
    temporary_password = fields.String(dump_only=True)
    password_reset_required = Flag(dump_only=True)
    note = fields.String(dump_only=True)
