"""The change of one's own address on the wire."""

from app.core.wire.schema import BaseSchema, Email, column_field
from app.users.models import User
from app.users.schemas import Password


class ChangeEmailSchema(BaseSchema):
    new_email = column_field(User.email, Email, required=True)
    current_password = Password(required=True)
