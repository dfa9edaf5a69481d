"""Users on the wire. No schema of this file shows a password or a hash."""

from typing import Any, NoReturn

from marshmallow import ValidationError, fields, validate

from app.core.wire.schema import (
    BaseSchema,
    CodeRef,
    Email,
    Flag,
    OwnedSchema,
    Ref,
    Timestamp,
    column_field,
    read_only_id,
)
from app.document_types.models import DocumentType
from app.positions.models import Position
from app.users.models import LANGUAGES, User


class Password(fields.String):
    """Loaded unchanged, without trimming. ``core/security/passwords.py`` holds the rules."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(load_only=True, metadata={"format": "password"}, **kwargs)

    def _deserialize(self, value: Any, *args: Any, **kwargs: Any) -> str:
        if isinstance(value, str) and "\x00" in value:
            raise ValidationError("Must not contain NUL.")
        return super()._deserialize(value, *args, **kwargs)


class NoPassword(fields.Field[Any]):
    """Refuses a password, and names the endpoints that change it."""

    default_error_messages = dict.fromkeys(
        ("invalid", "null"),
        "A password is changed by PATCH /users/me/change-password or by POST /users/{{id}}/admin-reset-password.",
    )

    def _deserialize(self, *_args: Any, **_kwargs: Any) -> NoReturn:
        raise self.make_error("invalid")


class ProfileSchema(BaseSchema):
    """The fields that users change of themselves."""

    example = {"first_name": "Ada", "language": "en"}
    first_name = column_field(User.first_name)
    last_name = column_field(User.last_name)
    language = column_field(User.language, validate=[validate.OneOf(LANGUAGES)])
    phone_number = column_field(User.phone_number)
    address = column_field(User.address)


class UserChangeSchema(ProfileSchema, OwnedSchema):
    example = {"email": "grace@acme.example", "first_name": "Grace", "last_name": "Winter"}
    email = column_field(User.email, Email, required=True)
    username = column_field(User.username, validate=[validate.Length(min=1)])
    document_type = CodeRef(DocumentType.code, allow_none=True)
    document_number = column_field(User.document_number)
    position_id = Ref(Position, allow_none=True)
    is_active = column_field(User.is_active, Flag)
    is_verified = column_field(User.is_verified, Flag)
    avatar_file_id = read_only_id(allow_none=True)
    has_avatar = Flag(dump_only=True)
    password_reset_required = Flag(dump_only=True)
    last_password_change = Timestamp(allow_none=True)
    last_login_at = Timestamp(allow_none=True)
    password: Any = NoPassword(load_only=True, metadata={"undocumented": True})


class UserSchema(UserChangeSchema):
    example = {
        "email": "grace@acme.example",
        "first_name": "Grace",
        "last_name": "Winter",
        "password": "lantern-otter-42",
    }
    password: Any = Password(required=True)
