"""A user as a form with an avatar, which is stored before there is a row that shows it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any
from uuid import UUID

from uuid_utils.compat import uuid7

from app.base.errors import Forbidden
from app.core.db.lookup import check_exists
from app.core.db.transaction import company_transaction
from app.core.files.picture import check_enabled, deposit_picture
from app.core.files.stored_file import Deposit, FileOwner
from app.core.web.principal import principal
from app.core.wire.forms import Upload, parse_texts, receive_form
from app.core.wire.schema import BaseSchema
from app.users.models import User

AVATAR = "avatar"


@dataclass
class UserForm:
    """``values`` are as JSON would have said them."""

    values: dict[str, Any]
    upload: Upload | None
    user_id: UUID = field(default_factory=uuid7)
    deposit: Deposit | None = None

    @classmethod
    def received(cls, stack: ExitStack, schema: BaseSchema, user_id: UUID | None) -> UserForm:
        """``user_id`` is that of a user who is changed. Raises NotFound, Forbidden, and what is wrong with a form."""
        if user_id is None:
            texts, upload = receive_form(stack, AVATAR)
            return cls(parse_texts(texts, schema), upload)
        with company_transaction(principal().company_id, writes=False):
            check_exists(User, user_id)
        texts, upload = receive_form(stack, AVATAR)
        if upload is not None and user_id != principal().user_id:
            raise Forbidden("Only the user themself changes this avatar.")
        values = parse_texts(texts, schema)
        # Nothing is decoded or stored for values that will not do.
        schema.checked(values, partial=True)
        return cls(values, upload, user_id)

    def store(self) -> None:
        """Raises Invalid, and what storage and decoding raise."""
        if self.upload is not None:
            check_enabled()
            self.deposit = deposit_picture(FileOwner(principal().company_id, User.bucket, self.user_id), self.upload)

    @contextmanager
    def undo_on_error(self) -> Iterator[None]:
        """Enclose the transaction that shows the avatar."""
        if self.deposit is None:
            yield
            return
        with self.deposit.undo_on_error():
            yield
