"""Every storage keeps objects in the same way, and the local one in folders."""

import time
from io import BytesIO
from pathlib import Path

import pytest
from uuid_utils.compat import uuid7

from app.base.errors import Unavailable
from app.clients.storage.interface import Key, Missing, NoStorage, Storage, Unlistable
from app.clients.storage.local import LocalStorage
from tests.core.files.storages import CONTENT, caller, key, put, read
from tests.support.rows import by_row


def test_what_was_put_is_read_and_gone_after_its_removal(storage: Storage) -> None:
    where = key()
    reference = put(storage, where)

    content = storage.open(where, caller())
    assert (content.size, content.length, b"".join(content.chunks())) == (len(CONTENT), len(CONTENT), CONTENT)

    storage.remove(where, reference, caller())
    with pytest.raises(Missing):
        storage.open(where, caller())
    storage.remove(where, reference, caller())


@by_row(("start", "end"), [(0, 10), (5, None), (255_990, 300_000), (10, 10), (300_000, None)])
def test_a_part_can_be_read(storage: Storage, start: int, end: int | None) -> None:
    where = key()
    put(storage, where)

    content = storage.open(where, caller(), start=start, end=end)

    assert (content.size, b"".join(content.chunks())) == (len(CONTENT), CONTENT[start:end])


def test_what_is_put_again_takes_the_place_of_the_earlier(storage: Storage) -> None:
    where = key()
    put(storage, where)
    put(storage, where, b"another")

    assert read(storage, where) == b"another"


def test_an_empty_file_and_a_large_one_are_kept(storage: Storage) -> None:
    for content in (b"", bytes(5_000_000)):
        where = key()
        put(storage, where, content)
        assert read(storage, where) == content


def test_companies_and_owners_are_apart(storage: Storage) -> None:
    where = key()
    put(storage, where)

    for other in (where._replace(bucket_id=uuid7()), where._replace(bucket_type="customers")):
        with pytest.raises(Missing):
            storage.open(other, caller())


def test_what_is_stored_can_be_listed_or_the_storage_says_that_it_cannot(storage: Storage) -> None:
    keys = {key(f"{n}/logo.png") for n in range(3)}
    for each in keys:
        put(storage, each, b"12345")

    if storage.name == "service":
        with pytest.raises(Unlistable):
            next(storage.stored())
        return
    found = list(storage.stored())
    assert {each.key for each in found} == keys
    assert {each.size for each in found} == {5}
    assert all(abs(each.modified.timestamp() - time.time()) < 60 for each in found)


def test_a_working_storage_is_healthy(storage: Storage) -> None:
    storage.check_health()


def test_no_storage_refuses_everything() -> None:
    for operation in (lambda: put(NoStorage(), key()), lambda: NoStorage().open(key(), caller())):
        with pytest.raises(Unavailable, match="keeps no files"):
            operation()


# The local one


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "files"


def test_files_are_nobodys_but_the_services_and_folders_go_with_the_last_one(folder: Path) -> None:
    storage, where = LocalStorage(str(folder)), key()
    put(storage, where)
    path = folder / str(where)

    assert path.read_bytes() == CONTENT
    assert path.parent.stat().st_mode & 0o077 == 0
    storage.remove(where, "", caller())
    assert list(folder.iterdir()) == []


def test_a_file_that_could_not_be_written_leaves_nothing(folder: Path) -> None:
    class Broken(BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise OSError(28, "No space left on device")

    with pytest.raises(Unavailable):
        LocalStorage(str(folder)).put(key(), Broken(), 10, "image/png", caller())

    assert [each for each in folder.rglob("*") if each.is_file()] == []


def test_a_folder_that_cannot_be_used_is_unavailable_and_not_healthy(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    storage = LocalStorage(str(tmp_path / "file" / "storage"))

    for operation in (storage.check_health, lambda: put(storage, key())):
        with pytest.raises(Unavailable):
            operation()


def test_documents_may_have_a_folder_of_their_own(tmp_path: Path) -> None:
    storage = LocalStorage(str(tmp_path / "a"), str(tmp_path / "b"))
    document, other = key("documents/1"), key("1/logo.png")
    for each in (document, other):
        put(storage, each)

    assert (tmp_path / "b" / str(document)).exists()
    assert (tmp_path / "a" / str(other)).exists()
    assert {each.key for each in storage.stored()} == {document, other}


ID = "01a1f8a1-3551-7665-9e8b-67c4fa6e8107"


@by_row("text", ["", "a/users/b/c", f"{ID}/users/{ID}", f"{ID}/Else/{ID}/x", f"{ID.upper()}/users/{ID}/x", "../x"])
def test_names_that_are_none_of_ours_are_no_keys(text: str) -> None:
    assert Key.parse(text) is None
