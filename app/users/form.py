"""The form of a user with an avatar. The avatar is stored before its user's row refers to it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.base.errors import Forbidden
from app.core.db.lookup import check_exists
from app.core.db.transaction import company_transaction
from app.core.files.picture import attach_file, check_enabled, deposit_picture
from app.core.files.stored_file import Deposit, FileOwner
from app.core.web.principal import principal
from app.core.wire.forms import Upload, parse_texts, receive_form
from app.core.wire.schema import BaseSchema
from app.users.models import User

AVATAR = "avatar"


@dataclass
class UserForm:
    """``values`` are those of an equal JSON body."""

    values: dict[str, Any]
    upload: Upload | None
    user_id: UUID = field(default_factory=uuid7)
    deposit: Deposit | None = None

    @classmethod
    def receive(cls, stack: ExitStack, schema: BaseSchema) -> UserForm:
        """The form of a new user. Raises as ``receive_form``."""
        texts, upload = receive_form(stack, AVATAR)
        return cls(parse_texts(texts, schema), upload)

    @classmethod
    def receive_change(cls, stack: ExitStack, schema: BaseSchema, user_id: UUID) -> UserForm:
        """Raises NotFound, Forbidden, Invalid, and as ``receive_form``."""
        with company_transaction(principal().company_id, writes=False):
            check_exists(User, user_id)
        form = cls.receive(stack, schema)
        if form.upload is not None and user_id != principal().user_id:
            raise Forbidden("Only the user themself changes this avatar.")
        # Invalid values cost no decoding and no storage.
        schema.checked(form.values, partial=True)
        form.user_id = user_id
        return form

    def store(self) -> None:
        """Raises Invalid, and what storage and decoding raise."""
        if self.upload is not None:
            check_enabled()
            self.deposit = deposit_picture(FileOwner(principal().company_id, User.bucket, self.user_id), self.upload)

    def attach_to(self, user: User) -> None:
        if self.deposit is not None:
            attach_file(user, "avatar_file_id", self.deposit)

    @contextmanager
    def undo_on_error(self) -> Iterator[None]:
        """Enclose the transaction that shows the avatar."""
        with self.deposit.undo_on_error() if self.deposit else nullcontext():
            yield
