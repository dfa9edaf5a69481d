"""Changes of the caller's address on the wire."""

from app.core.wire.schema import BaseSchema, Email, column_field
from app.users.models import User
from app.users.schemas import Password


class ChangeEmailSchema(BaseSchema):
    example = {"new_email": "ada@acme.example", "current_password": "tulip-anchor-violin-42"}
    new_email = column_field(User.email, Email, required=True)
    current_password = Password(required=True)
