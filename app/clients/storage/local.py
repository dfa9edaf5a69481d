"""Files below a folder of this host, or of a file system that all hosts share."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from shutil import copyfileobj
from typing import BinaryIO, cast
from uuid import uuid4

import structlog

from app.clients.storage.interface import (
    CHUNK_BYTES,
    DOCUMENTS,
    Content,
    Key,
    Missing,
    StorageCaller,
    Stored,
    part_of,
    unusable,
)
from app.config.settings import ROOT

log = structlog.get_logger(__name__)

UNFINISHED = ".part"
OWNER_ONLY = 0o700
PROBE = ".probe"
ATTEMPTS = 3


class LocalStorage:
    """Files are written under another name, synced and renamed, so a named file is whole, also after a power cut."""

    name, needs_caller = "local", False

    def __init__(self, folder: str, documents: str = "") -> None:
        """Relative folders are below the project. ``documents`` is where keys below DOCUMENTS go instead."""
        self._root = ROOT / folder
        self._documents = ROOT / (documents or folder)
        self._roots = {self._root, self._documents}

    def put(self, key: Key, file: BinaryIO, size: int, media_type: str, caller: StorageCaller) -> str:
        target = self._path(key)
        with _translate_errors():
            self._write(target, file)
        return ""

    def open(self, key: Key, caller: StorageCaller, *, start: int = 0, end: int | None = None) -> Content:
        with _translate_errors():
            # Nothing is read ahead: a server that passes on the descriptor begins where it stands.
            file = cast(BinaryIO, self._path(key).open("rb", buffering=0))
            size = os.fstat(file.fileno()).st_size
            start, length = part_of(size, start, end)
            if start:
                file.seek(start)
        return Content(file, size, length)

    def remove(self, key: Key, reference: str, caller: StorageCaller) -> None:
        target = self._path(key)
        with _translate_errors():
            target.unlink(missing_ok=True)
        for folder in target.parents:
            if folder in self._roots or not _remove_if_empty(folder):
                return

    def stored(self) -> Iterator[Stored]:
        """Also what was left unfinished, under the key that it would have had."""
        for root in self._roots:
            for folder, _, names in os.walk(root, onerror=_raise):
                for name in names:
                    yield from _describe(root, Path(folder) / name)

    def check_health(self) -> None:
        """Raises Unavailable unless a file can be written."""
        with _translate_errors():
            for root in self._roots:
                _check_writable(root)

    def _path(self, key: Key) -> Path:
        return (self._documents if key.path.startswith(f"{DOCUMENTS}/") else self._root) / str(key)

    def _write(self, target: Path, file: BinaryIO) -> None:
        part = target.with_name(f"{target.name}.{uuid4().hex}{UNFINISHED}")
        try:
            with _create(part) as copy:
                file.seek(0)
                copyfileobj(file, copy, CHUNK_BYTES)
                copy.flush()
                os.fsync(copy.fileno())
            os.replace(part, target)
        except BaseException:
            part.unlink(missing_ok=True)
            raise
        _sync_folder(target.parent)


def _raise(error: OSError) -> None:
    """A folder that does not exist holds nothing; another that cannot be read may hold anything."""
    if not isinstance(error, FileNotFoundError):
        log.warning("storage_failed", cause=error.strerror)
        raise unusable() from error


def _describe(root: Path, path: Path) -> Iterator[Stored]:
    key = Key.parse(path.relative_to(root).as_posix())
    with suppress(FileNotFoundError):
        if key is not None:
            status = path.stat()
            yield Stored(key, status.st_size, datetime.fromtimestamp(status.st_mtime, UTC))


def _check_writable(root: Path) -> None:
    probe = root / f"{PROBE}-{uuid4().hex}"
    root.mkdir(OWNER_ONLY, parents=True, exist_ok=True)
    try:
        probe.write_bytes(b"probe")
    finally:
        probe.unlink(missing_ok=True)


def _create(path: Path) -> BinaryIO:
    """A removal may delete an empty folder between its creation and its use."""
    for _ in range(ATTEMPTS):
        with suppress(FileNotFoundError):
            path.parent.mkdir(OWNER_ONLY, parents=True, exist_ok=True)
            return path.open("xb")
    raise FileNotFoundError(path.parent)


def _sync_folder(folder: Path) -> None:
    """The name itself must survive, too."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _remove_if_empty(folder: Path) -> bool:
    """Whether it was empty, and is gone."""
    try:
        folder.rmdir()
    except OSError:
        return False
    return True


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raises Missing and Unavailable."""
    try:
        yield
    except FileNotFoundError:
        raise Missing() from None
    except OSError as error:
        log.warning("storage_failed", cause=error.strerror)
        raise unusable() from error
