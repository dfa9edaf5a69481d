"""/users, the caller's own profile, and the users of one position."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import select

from app.companies.models import Company
from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion
from app.core.db.lookup import Parent, lock
from app.core.db.models import db
from app.core.files.picture import attach
from app.core.services import services
from app.core.web.body import answer, json_body
from app.core.web.declaration import declare
from app.core.web.default_roles import MANAGED
from app.core.web.endpoint import Endpoint
from app.core.web.etag import check_if_match, etag, is_unchanged
from app.core.web.principal import principal
from app.core.wire.forms import is_form
from app.positions.models import Position
from app.users.form import AVATAR, UserForm
from app.users.models import User
from app.users.schemas import ProfileSchema, UserChangeSchema, UserSchema
from app.users.service import announce_deletion, change_user, check_deletable, create_user


class Users(Crud):
    """Users of the company."""

    model, schema, change_schema, path = User, UserSchema, UserChangeSchema, "/users"
    permission, default_roles = "user", MANAGED
    uploads = {"POST": AVATAR, "PATCH": AVATAR}
    filters = ("email", "username", "is_active", "is_verified", "position_id")
    sort = ("created_at", "updated_at", "email", "last_name", "last_login_at")
    expand = {
        "position": Expansion(Position, ("id", "title", "organization_unit_id"), "position", by="position_id"),
        "company": Expansion(Company, ("id", "name", "status"), "company", by="company_id"),
    }

    form: UserForm | None = None

    def before(self, **ids: UUID) -> None:
        """A form is received, and its avatar made and stored, before the transaction begins."""
        if not is_form() or request.method not in self.uploads:
            super().before(**ids)
            return
        with ExitStack() as stack:
            self.form = UserForm.received(stack, self.change_wire if ids else self.wire, ids.get("id"))
            super().before(**ids)
            self.form.store()

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.form.undo_on_error() if self.form else nullcontext(), super().transaction():
            yield

    def read_body(self) -> dict[str, Any]:
        return super().read_body() if self.form is None else self.form.values

    def before_create(self, values: dict[str, Any]) -> None:
        passwords, password = services().passwords, values.pop("password")
        passwords.check_acceptable(password, values["email"])
        values["password_hash"] = passwords.hash(password)

    def create(self, values: dict[str, Any]) -> User:
        return self._with_avatar(create_user(values if self.form is None else values | {"id": self.form.user_id}))

    def change(self, row: User, values: dict[str, Any]) -> None:
        change_user(row, values, by=principal().user_id)
        self._with_avatar(row)

    def _with_avatar(self, row: User) -> User:
        if self.form is not None and self.form.deposit is not None:
            attach(row, "avatar_file_id", self.form.deposit)
        return row

    def remove(self, row: User) -> None:
        check_deletable(row, by=principal().user_id)
        # What was read stays as it is: If-Match was compared with that version.
        lock(User, row.id)
        announce_deletion(row.id)
        super().remove(row)


class UsersOfPosition(Crud):
    """Users who hold one position."""

    nouns = ("user of a position", "users of a position")
    model, schema, path = User, UserSchema, "/positions/<position_id>/users"
    permission, canonical_path = "user", Users.path
    filters = ("email", "username", "is_active", "is_verified")
    sort, expand = Users.sort, Users.expand
    verbs = ("list",)
    parent = Parent(Position, "position_id")


class Me(Endpoint):
    """Get the caller."""

    access, path, revalidated = "self", "/users/me", True
    usable_before_password_change = True

    @declare("getMe", answer=UserSchema())
    def get(self) -> Response:
        row = self._row()
        if is_unchanged(row.row_version):
            return Response(status=304, headers={"ETag": etag(row.row_version)})
        return self._shown(row)

    @declare("updateMe", body=ProfileSchema(partial=True), answer=UserSchema(), errors=(409, 412))
    def patch(self) -> Response:
        """Update the caller."""
        row = self._row()
        values = ProfileSchema(partial=True).checked(json_body(), partial=True)
        check_if_match(row.row_version)
        change_user(row, values, by=row.id)
        return self._shown(row)

    def _row(self) -> User:
        return db.session.scalars(select(User).where(User.id == principal().user_id)).one()

    def _shown(self, row: User) -> Response:
        item = {name: getattr(row, name) for name in Users.columns}
        return answer(item, 200, {"ETag": etag(row.row_version)})
