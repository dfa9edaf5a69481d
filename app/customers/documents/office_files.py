"""DOCX and XLSX told from any other ZIP by a bounded look into it: nothing is unpacked, and no XML parsed."""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterator, Sequence
from typing import BinaryIO, NamedTuple
from zipfile import ZIP_DEFLATED, ZIP_STORED, BadZipFile, ZipFile, ZipInfo

MB = 1024 * 1024
END = struct.Struct("<4s4H2LH")
"""The end of the central directory (APPNOTE.TXT, section 4.3.16)."""
END_SIGNATURE, ENTRY_SIGNATURE, LOCATOR_64 = b"PK\x05\x06", b"PK\x01\x02", b"PK\x06\x07"
LOCATOR_64_BYTES = 20
TAIL_BYTES = END.size + 0xFFFF
MOST_ENTRIES, MOST_DIRECTORY_BYTES = 4000, MB
MOST_INFLATED, MOST_RATIO, ALWAYS_INFLATED = 1024 * MB, 100, 10 * MB
CONTENT_TYPES, MOST_TYPES_BYTES = "[Content_Types].xml", MB
PROLOG_BYTES = 8 * 1024
SKIPPED = {b"<!--": b"-->", b"<?": b"?>"}
ENCRYPTED = 0x1
DOCX_PART = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
XLSX_PART = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
FOLDERS = {DOCX_PART: "word/", XLSX_PART: "xl/"}
BROKEN = (BadZipFile, EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError, struct.error, zlib.error)

UNKNOWN = "Is a ZIP that is neither a DOCX nor an XLSX."
DAMAGED = "Is damaged or cut off."
BOMB = "Would take too much room when unpacked."
DTD = "Has a document type declaration, which a DOCX or XLSX may not have."
MACROS = "Has macros, which a DOCX or XLSX may not have."


class Unacceptable(ValueError):
    """``args[0]`` is the reason, a sentence for the sender."""


class Directory(NamedTuple):
    """``is_last``: nothing comes behind it. ``is_first``: nothing stands before what it lists."""

    entries: int
    size: int
    is_first: bool
    is_last: bool
    is_64: bool


def has_archive(file: BinaryIO) -> bool:
    """Whether programs that unpack ZIPs, which look at the end of a file, would find one in it."""
    return any(True for _ in _directories(file))


def main_part(file: BinaryIO) -> bytes:
    """DOCX_PART or XLSX_PART. Raises Unacceptable."""
    found = next(_directories(file), None)
    if found is None or not found.is_last or not found.is_first or found.is_64:
        raise Unacceptable(DAMAGED)
    if found.entries > MOST_ENTRIES or found.size > MOST_DIRECTORY_BYTES:
        raise Unacceptable(BOMB)
    try:
        with ZipFile(file) as archive:
            entries = archive.infolist()
            _check_sizes(entries, file.seek(0, os.SEEK_END))
            _check_names(entries)
            _check_prologs(archive, entries)
            return _main_part(archive, entries)
    except Unacceptable:
        raise
    except BROKEN:
        raise Unacceptable(DAMAGED) from None


def _directories(file: BinaryIO) -> Iterator[Directory]:
    """Whatever may be taken for one, the last one first."""
    size = file.seek(0, os.SEEK_END)
    before = max(0, size - TAIL_BYTES)
    file.seek(before)
    tail = file.read()
    place = len(tail)
    while (place := tail.rfind(END_SIGNATURE, 0, place)) >= 0:
        if len(tail) - place >= END.size:
            _, _, _, _, entries, length, offset, comment = END.unpack_from(tail, place)
            start = before + place - length
            is_64 = tail[max(0, place - LOCATOR_64_BYTES) :].startswith(LOCATOR_64)
            if is_64 or _is_directory(file, start, entries):
                yield Directory(entries, length, start == offset, place + END.size + comment == len(tail), is_64)


def _is_directory(file: BinaryIO, start: int, entries: int) -> bool:
    if start < 0 or not entries:
        return False
    file.seek(start)
    return file.read(len(ENTRY_SIGNATURE)) == ENTRY_SIGNATURE


def _check_sizes(entries: Sequence[ZipInfo], size: int) -> None:
    """What is declared is enough: readers stop where a part is longer than it says. Raises Unacceptable."""
    packed, inflated = sum(each.compress_size for each in entries), sum(each.file_size for each in entries)
    if packed > size:
        # Parts that overlap: each adds to what comes out, and nothing to the file.
        raise Unacceptable(BOMB)
    if inflated > min(MOST_INFLATED, max(ALWAYS_INFLATED, MOST_RATIO * size)):
        raise Unacceptable(BOMB)


def _check_names(entries: Sequence[ZipInfo]) -> None:
    """Raises Unacceptable."""
    names = [each.filename for each in entries]
    if len({name.lower() for name in names}) != len(names) or any(_leads_out(name) for name in names):
        raise Unacceptable(DAMAGED)
    if any(each.flag_bits & ENCRYPTED or each.compress_type not in (ZIP_STORED, ZIP_DEFLATED) for each in entries):
        raise Unacceptable(UNKNOWN)
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise Unacceptable(MACROS)


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/")


def _check_prologs(archive: ZipFile, entries: Sequence[ZipInfo]) -> None:
    """Entities that name files and addresses come from a DTD, which stands before the first element; packages
    must not have any (ECMA-376-2, section 8.1.4). Raises Unacceptable."""
    for each in entries:
        if each.filename.lower().endswith((".xml", ".rels")) and not _has_no_dtd(_beginning(archive, each)):
            raise Unacceptable(DTD)


def _has_no_dtd(beginning: bytes) -> bool:
    """Whether the first thing that is no comment and no processing instruction is an element, within what was read."""
    at = 0
    while (at := beginning.find(b"<", at)) >= 0:
        end = next((end for start, end in SKIPPED.items() if beginning.startswith(start, at)), None)
        if end is None:
            return not beginning.startswith(b"<!", at)
        at = beginning.find(end, at + len(end))
        if at < 0:
            return False
    return len(beginning) < PROLOG_BYTES


def _beginning(archive: ZipFile, entry: ZipInfo) -> bytes:
    """NULs are left out, so that UTF-16 reads like UTF-8."""
    with archive.open(entry) as part:
        return part.read(PROLOG_BYTES).replace(b"\0", b"")


def _main_part(archive: ZipFile, entries: Sequence[ZipInfo]) -> bytes:
    listing = next((each for each in entries if each.filename == CONTENT_TYPES), None)
    if listing is None or listing.file_size > MOST_TYPES_BYTES:
        raise Unacceptable(UNKNOWN)
    with archive.open(listing) as part:
        types = part.read(MOST_TYPES_BYTES)
    found = [
        part
        for part, folder in FOLDERS.items()
        if part in types and any(each.filename.startswith(folder) for each in entries)
    ]
    if len(found) != 1:
        raise Unacceptable(UNKNOWN)
    return found[0]
