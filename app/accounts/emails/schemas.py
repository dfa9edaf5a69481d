"""The change of one's own address on the wire."""

from app.core.wire.schema import BaseSchema, Email, of
from app.users.models import User
from app.users.schemas import Password


class ChangeEmailSchema(BaseSchema):
    new_email = of(User.email, Email, required=True)
    current_password = Password(required=True)
