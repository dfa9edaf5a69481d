"""/users/{id}/avatar. Users change their own avatar only."""

from app.core.files.picture import OwnedByCaller, Picture
from app.users.models import User

PATH = "/users/<id>/avatar"


class Avatar(Picture):
    """The avatar of a user."""

    model, path, field = User, PATH, "avatar"
    permission, methods = "user_avatar", {"GET"}


class OwnAvatar(OwnedByCaller):
    """The caller's own avatar."""

    model, path, field = User, PATH, "avatar"
    access, methods = "self", {"POST", "DELETE"}
