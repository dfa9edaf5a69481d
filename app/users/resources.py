"""/users, the caller's own profile, and the users of one position."""

from __future__ import annotations

from typing import Any

from flask import Response
from sqlalchemy import select

from app.companies.models import Company
from app.core.auth import principal
from app.core.crud import Crud, Parent, check_if_match, etag, is_unchanged
from app.core.db import db
from app.core.expand import Expansion
from app.core.http import Endpoint, answer, body, declare
from app.core.kernel import kernel
from app.positions.models import Position
from app.users.models import User
from app.users.schemas import ProfileSchema, UserChangeSchema, UserSchema
from app.users.service import change_user, check_deletable, create_user


class Users(Crud):
    """Users of the company."""

    model, schema, change_schema, path = User, UserSchema, UserChangeSchema, "/users"
    permission = "user"
    filters = ("email", "username", "is_active", "is_verified", "position_id")
    sort = ("created_at", "updated_at", "email", "last_name", "last_login_at")
    expand = {
        "position": Expansion(Position, ("id", "title", "organization_unit_id"), "position", by="position_id"),
        "company": Expansion(Company, ("id", "name", "status"), "company", by="company_id"),
    }

    def prepare(self, values: dict[str, Any]) -> None:
        passwords, password = kernel().passwords, values.pop("password")
        passwords.check_acceptable(password, values["email"])
        values["password_hash"] = passwords.hash(password)

    def new(self, values: dict[str, Any]) -> User:
        return create_user(values)

    def change(self, row: User, values: dict[str, Any]) -> None:
        change_user(row, values, by=principal().user_id)

    def remove(self, row: User) -> None:
        check_deletable(row, by=principal().user_id)
        super().remove(row)


class UsersOfPosition(Crud):
    """Users who hold one position."""

    model, schema, path = User, UserSchema, "/positions/<parent_id>/users"
    permission, home = "user", Users.path
    filters = ("email", "username", "is_active", "is_verified")
    sort, expand = Users.sort, Users.expand
    verbs = ("list",)
    parent = Parent(Position, "position_id")


class Me(Endpoint):
    """The caller."""

    access, path, revalidated = "self", "/users/me", True
    usable_before_password_change = True

    @declare(answer=UserSchema())
    def get(self) -> Response:
        row = self._row()
        if is_unchanged(row.row_version):
            return Response(status=304, headers={"ETag": etag(row.row_version)})
        return self._shown(row)

    @declare(body=ProfileSchema(partial=True), answer=UserSchema(), errors=(409, 412))
    def patch(self) -> Response:
        """Change one's own profile."""
        row = self._row()
        values = ProfileSchema(partial=True).checked(body(), partial=True)
        check_if_match(row.row_version)
        change_user(row, values, by=row.id)
        return self._shown(row)

    def _row(self) -> User:
        return db.session.scalars(select(User).where(User.id == principal().user_id)).one()

    def _shown(self, row: User) -> Response:
        item = {name: getattr(row, name) for name in Users.columns}
        return answer(item, 200, {"ETag": etag(row.row_version)})
