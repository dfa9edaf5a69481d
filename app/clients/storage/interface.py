"""The interface of storages, and the one of ``STORAGE_BACKEND=none``."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import BinaryIO, NamedTuple, NoReturn, Protocol
from uuid import UUID

from app.base.errors import BadGateway, NotFound, Unavailable

BUCKET = re.compile(r"[a-z][a-z_]*")
DOCUMENTS = "documents"
"""Paths that begin so are documents, which a local storage may keep in a folder of their own."""
CHUNK_BYTES = 64 * 1024


class Missing(NotFound):
    """The storage works, and has no such object."""

    code, message = "FILE_NOT_FOUND", "There is no such file."


class Key(NamedTuple):
    """Names an object by ids and by words of our own; nothing of it ever comes from a client."""

    company_id: UUID
    bucket_type: str
    bucket_id: UUID
    path: str

    def __str__(self) -> str:
        return f"{self.company_id}/{self.bucket_type}/{self.bucket_id}/{self.path}"

    @classmethod
    def parse(cls, text: str) -> Key | None:
        """The reverse of str(); None for what is not ours."""
        with suppress(ValueError):
            company_id, bucket_type, bucket_id, path = text.split("/", 3)
            key = cls(UUID(company_id), bucket_type, UUID(bucket_id), path)
            if BUCKET.fullmatch(bucket_type) and path and str(key) == text:
                return key
        return None


class StorageCaller(NamedTuple):
    """Token of the user behind an operation, and its deadline on the monotonic clock."""

    token: str
    deadline: float

    @classmethod
    def within(cls, seconds: float, token: str = "") -> StorageCaller:
        return cls(token, time.monotonic() + seconds)


@dataclass
class Content:
    """``length`` bytes of ``file`` from where it stands, of ``size`` in all. It holds no connection to a storage."""

    file: BinaryIO
    size: int
    length: int

    def chunks(self) -> Iterator[bytes]:
        """Closes the file at the end."""
        left = self.length
        with self.file:
            while left and (chunk := self.file.read(min(CHUNK_BYTES, left))):
                left -= len(chunk)
                yield chunk


class Stored(NamedTuple):
    key: Key
    size: int
    modified: datetime


class Storage(Protocol):
    """Every method raises BadGateway, Unavailable or GatewayTimeout when the storage is at fault."""

    name: str
    needs_caller: bool
    """Whether operations need the caller's token, removals too."""

    def put(self, key: Key, file: BinaryIO, size: int, media_type: str, caller: StorageCaller) -> str:
        """Keep ``size`` bytes from the file's beginning. Returns the storage's own name, for ``remove``."""

    def open(self, key: Key, caller: StorageCaller, *, start: int = 0, end: int | None = None) -> Content:
        """The bytes from ``start`` to before ``end``. Raises Missing."""

    def remove(self, key: Key, reference: str, caller: StorageCaller) -> None:
        """Remove the object, whether or not it is there."""

    def stored(self) -> Iterator[Stored]:
        """Every object with a key. Raises Unlistable."""

    def check_health(self) -> None: ...


class Unlistable(Unavailable):
    message = "This storage does not tell what it holds."


class StorageDisabled(Unavailable):
    code, message = "STORAGE_DISABLED", "This service keeps no files."


class NoStorage:
    """``STORAGE_BACKEND=none``."""

    name, needs_caller = "none", False

    def put(self, *_arguments: object, **_options: object) -> NoReturn:
        raise disabled()

    open = remove = put

    def stored(self) -> Iterator[Stored]:
        raise Unlistable()

    def check_health(self) -> None:
        """Healthy by definition: there is no storage."""


def disabled() -> Unavailable:
    return StorageDisabled(retry_after=3600)


def refused() -> BadGateway:
    return BadGateway("The storage gave no usable answer.")


def unusable() -> Unavailable:
    return Unavailable("The storage cannot be used at the moment.")


def part_of(size: int, start: int, end: int | None) -> tuple[int, int]:
    """Start and length of the existing bytes of a part."""
    start = min(start, size)
    return start, max(0, min(size, size if end is None else end) - start)
