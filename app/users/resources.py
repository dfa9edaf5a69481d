"""/users, their avatars, the caller's own profile, and the users of one position."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, nullcontext
from typing import Any
from uuid import UUID

from flask import Response, request
from sqlalchemy import select
from uuid_utils.compat import uuid7

from app.base.errors import Forbidden
from app.companies.models import Company
from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion
from app.core.db.lookup import Parent, get_row
from app.core.db.models import db
from app.core.files.picture import Picture, attach_file, check_enabled, deposit_picture
from app.core.files.stored_file import Deposit, FileOwner
from app.core.web.body import json_body, no_content
from app.core.web.declaration import CREATED_WITH_VERSION, declare
from app.core.web.default_roles import MANAGED
from app.core.web.endpoint import Endpoint
from app.core.web.etag import check_if_match, etag, is_unchanged
from app.core.web.principal import principal
from app.core.wire.forms import Upload, is_form, parse_texts, receive_form
from app.core.wire.schema import BaseSchema
from app.organization_units.resources import SUMMARY_OF_POSITION
from app.positions.models import Position
from app.users.control import CONTROL, account_of, require_control, require_control_to_change
from app.users.models import User
from app.users.schemas import ProfileSchema, UserChangeSchema, UserSchema
from app.users.service import change_user, create_user, delete_user, hash_password

AVATAR = "avatar"
CHANGES = UserChangeSchema()
WITH_AVATAR: Mapping[str, Any] = {"answer": UserSchema(), "upload": AVATAR, "takes_json": True}


class Users(Crud):
    """Users of the company."""

    model, schema, path = User, UserSchema, "/users"
    permission, default_roles = "user", MANAGED
    filters = ("email", "username", "is_active", "is_verified", "position_id")
    sort = ("created_at", "updated_at", "email", "last_name", "last_login_at")
    expand = {
        "position": Expansion(Position, (*SUMMARY_OF_POSITION, "organization_unit_id"), "position", by="position_id"),
        "company": Expansion(Company, ("id", "name", "status"), "company", by="company_id"),
    }
    verbs = ("list", "retrieve")

    def precedes_password_change(self) -> bool:
        """As /users/me: pages that read the caller by id must not stay blank."""
        is_read = request.method in ("GET", "HEAD")
        return is_read and (request.view_args or {}).get("id", "").lower() == str(principal().user_id)


class WriteUser(Endpoint, abstract=True):
    """The body is JSON, or a form with an avatar, which is stored before the transaction begins."""

    permission, forms = Users.permission, frozenset({"POST", "PATCH"})
    deposit: Deposit | None = None

    @contextmanager
    def transaction(self) -> Iterator[None]:
        with self.deposit.undo_on_error() if self.deposit else nullcontext(), super().transaction():
            yield

    def store_avatar(self, upload: Upload | None, user_id: UUID) -> None:
        """Raises Invalid, and what storage and decoding raise."""
        if upload is not None:
            check_enabled()
            self.deposit = deposit_picture(FileOwner(principal().company_id, User.bucket, user_id), upload)

    def attach_avatar(self, user: User) -> None:
        if self.deposit is not None:
            attach_file(user, "avatar_file_id", self.deposit)


def _receive_user_form(stack: ExitStack, schema: BaseSchema) -> tuple[dict[str, Any], Upload | None]:
    """The values of an equal JSON body, and the avatar. Raises as ``receive_form``."""
    texts, upload = receive_form(stack, AVATAR)
    return parse_texts(texts, schema), upload


class CreateUser(WriteUser):
    """Create a user."""

    path = Users.path

    def before(self, **_ids: Any) -> None:
        with ExitStack() as stack:
            body, upload = _receive_user_form(stack, Users.wire) if is_form() else (json_body(), None)
            self.values = hash_password(Users.wire.checked(body)) | {"id": uuid7()}
            self.store_avatar(upload, self.values["id"])

    @declare("createUser", body=Users.wire, errors=(409,), **WITH_AVATAR, **CREATED_WITH_VERSION)
    def post(self) -> Response:
        Users.wire.check_refs(db.session(), self.values)
        user = create_user(self.values)
        self.attach_avatar(user)
        return Users().respond_with_location(user)


class ChangeUser(WriteUser):
    """Update a user. Address, user name and activity of another user also need user_account UPDATE."""

    path, also_required = f"{Users.path}/<id>", (CONTROL,)

    def before(self, **ids: UUID) -> None:
        if request.method == "DELETE":
            require_control(ids["id"])
        elif request.method == "PATCH" and is_form():
            account_of(ids["id"])
            with ExitStack() as stack:
                self._receive_form(stack, ids["id"])
        else:
            self.load_body(CHANGES, partial=request.method == "PATCH")
            if isinstance(self._body, dict):
                require_control_to_change(ids["id"], self._body)

    def _receive_form(self, stack: ExitStack, user_id: UUID) -> None:
        """Raises Forbidden, Invalid, and as ``receive_form``."""
        texts, upload = _receive_user_form(stack, CHANGES)
        if upload is not None and user_id != principal().user_id:
            raise Forbidden("Only the user themself changes this avatar.")
        # Invalid values cost no decoding and no storage.
        self._body = CHANGES.checked(texts, partial=True)
        require_control_to_change(user_id, self.body())
        self.store_avatar(upload, user_id)

    @declare("replaceUser", body=CHANGES, answer=Users.wire, errors=(404, 409, 412))
    def put(self, id: UUID) -> Response:
        """Replace a user. Address, user name and activity of another user also need user_account UPDATE."""
        return self._change(id)

    @declare("updateUser", body=UserChangeSchema(partial=True), errors=(404, 409, 412), **WITH_AVATAR)
    def patch(self, id: UUID) -> Response:
        return self._change(id)

    def _change(self, id: UUID) -> Response:
        users, user, values = Users(), get_row(User, id), self.body()
        CHANGES.check_refs(db.session(), values)
        users.check_version(user)
        change_user(user, values, by=principal().user_id)
        self.attach_avatar(user)
        return users.respond(user)

    @declare("deleteUser", status=204, errors=(404, 409, 412))
    def delete(self, id: UUID) -> Response:
        """Delete a user. This also needs user_account UPDATE."""
        user = get_row(User, id)
        Users().check_version(user)
        delete_user(user, by=principal().user_id)
        return no_content()


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
    bodies = {"PATCH": ProfileSchema(partial=True)}

    @declare("getMe", answer=UserSchema())
    def get(self) -> Response:
        row = self._row()
        if is_unchanged(row.row_version):
            return Response(status=304, headers={"ETag": etag(row.row_version)})
        return Users().respond(row)

    @declare("updateMe", body=ProfileSchema(partial=True), answer=UserSchema(), errors=(409, 412))
    def patch(self) -> Response:
        """Update the caller."""
        row, values = self._row(), self.body()
        check_if_match(row.row_version)
        change_user(row, values, by=row.id)
        return Users().respond(row)

    def _row(self) -> User:
        return db.session.scalars(select(User).where(User.id == principal().user_id)).one()


class Avatar(Picture):
    """The avatar of a user."""

    model, path, field = User, f"{Users.path}/<id>/avatar", AVATAR
    permission, methods = "user_avatar", {"GET"}


class OwnAvatar(Picture):
    """The caller's own avatar."""

    model, path, field = User, Avatar.path, AVATAR
    access, methods = "self", {"POST", "DELETE"}

    def check_may_write(self, id: UUID) -> None:
        if id != principal().user_id:
            raise Forbidden("Only the user themself changes this avatar.")
