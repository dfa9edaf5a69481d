"""/users/{id}/avatar: seen by whoever may, changed by nobody but its subject."""

from __future__ import annotations

from uuid import UUID

from flask import Response

from app.core.files.picture import OwnedByCaller, Picture
from app.users.models import User

PATH = "/users/<id>/avatar"


class Avatar(Picture):
    """The avatar of a user."""

    model, path, field = User, PATH, "avatar"
    permission, revalidated = "user_avatar", True

    def get(self, id: UUID) -> Response:
        """See the avatar of a user. size gives a square thumbnail."""
        return self.shown(id)


class OwnAvatar(OwnedByCaller):
    """The caller's avatar."""

    model, path, field = User, PATH, "avatar"
    access = "self"

    def post(self, id: UUID) -> Response:
        """Upload one's own avatar: a JPEG, PNG, GIF, BMP or WebP."""
        return self.uploaded(id)

    def delete(self, id: UUID) -> Response:
        """Remove one's own avatar."""
        return self.removed(id)
