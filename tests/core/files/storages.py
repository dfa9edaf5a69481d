"""Objects in a storage."""

from io import BytesIO

from uuid_utils.compat import uuid7

from app.clients.storage.factory import storage_of
from app.clients.storage.interface import Key, Storage, StorageCaller
from app.config.environment import load_settings
from tests.support.databases import SECRET

CONTENT = bytes(range(256)) * 1000


def made(environ: dict[str, str]) -> Storage:
    return storage_of(load_settings({"FLASK_ENV": "testing", "JWT_SECRET": SECRET, **environ}))


def key(path: str = "x/avatar.png") -> Key:
    return Key(uuid7(), "users", uuid7(), path)


def caller(seconds: float = 30.0) -> StorageCaller:
    return StorageCaller.within(seconds, "a.b.c")


def put(storage: Storage, where: Key, content: bytes = CONTENT, by: StorageCaller | None = None) -> str:
    return storage.put(where, BytesIO(content), len(content), "image/png", by or caller())


def read(storage: Storage, where: Key, **part: int) -> bytes:
    return b"".join(storage.open(where, caller(), **part).chunks())
