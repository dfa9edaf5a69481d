"""A bounded check that tells DOCX and XLSX from other ZIPs. It unpacks nothing and parses no XML."""

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
ZIP_TAIL_BYTES = END.size + 0xFFFF
MOST_ENTRIES, MOST_DIRECTORY_BYTES = 4000, MB
MOST_INFLATED, MOST_RATIO, ALWAYS_INFLATED = 1024 * MB, 100, 10 * MB
CONTENT_TYPES, MOST_TYPES_BYTES = "[Content_Types].xml", MB
PROLOG_BYTES = 8 * 1024
SKIPPED = {b"<!--": b"-->", b"<?": b"?>"}
ENCRYPTED, COMPRESSIONS = 0x1, (ZIP_STORED, ZIP_DEFLATED)
DOCX_PART = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
XLSX_PART = b"application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"
FOLDERS = {DOCX_PART: "word/", XLSX_PART: "xl/"}
BROKEN = (BadZipFile, EOFError, NotImplementedError, OverflowError, RuntimeError, ValueError, struct.error, zlib.error)

UNKNOWN_ZIP = "Is a ZIP that is neither a DOCX nor an XLSX."
DAMAGED = "Is damaged or cut off."
BOMB = "Would take too much room when unpacked."
DTD = "Has a document type declaration, which a DOCX or XLSX may not have."
MACROS = "Has macros, which a DOCX or XLSX may not have."


class Unacceptable(ValueError):
    """``args[0]`` is the reason, a sentence for the sender."""


class Directory(NamedTuple):
    """The end of a central directory. ``is_first`` and ``is_last``: no bytes lie before its entries, or behind it."""

    entries: int
    size: int
    is_first: bool
    is_last: bool
    is_64: bool


def has_archive(file: BinaryIO) -> bool:
    """Whether a program that unpacks ZIPs, looking at the end of the file, would find one."""
    return any(True for _ in _directories(file))


def find_main_part(file: BinaryIO) -> bytes:
    """DOCX_PART or XLSX_PART. Raises Unacceptable."""
    directory = next(_directories(file), None)
    if directory is None or not directory.is_last or not directory.is_first or directory.is_64:
        raise Unacceptable(DAMAGED)
    if directory.entries > MOST_ENTRIES or directory.size > MOST_DIRECTORY_BYTES:
        raise Unacceptable(BOMB)
    try:
        with ZipFile(file) as archive:
            entries = archive.infolist()
            _check_sizes(entries, file.seek(0, os.SEEK_END))
            _check_names(entries)
            _check_prologs(archive, entries)
            return _declared_main_part(archive, entries)
    except Unacceptable:
        raise
    except BROKEN:
        raise Unacceptable(DAMAGED) from None


def _directories(file: BinaryIO) -> Iterator[Directory]:
    """All ends of central directories that a reader could use, from the end of the file backwards."""
    size = file.seek(0, os.SEEK_END)
    before = max(0, size - ZIP_TAIL_BYTES)
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
    """Declared sizes suffice: readers stop where an entry exceeds its size. Raises Unacceptable."""
    compressed, inflated = sum(entry.compress_size for entry in entries), sum(entry.file_size for entry in entries)
    if compressed > size:
        # Overlapping entries multiply the output without adding to the file.
        raise Unacceptable(BOMB)
    if inflated > min(MOST_INFLATED, max(ALWAYS_INFLATED, MOST_RATIO * size)):
        raise Unacceptable(BOMB)


def _check_names(entries: Sequence[ZipInfo]) -> None:
    """Raises Unacceptable."""
    names = [entry.filename for entry in entries]
    if len({name.lower() for name in names}) != len(names) or any(_leaves_archive(name) for name in names):
        raise Unacceptable(DAMAGED)
    if any(entry.flag_bits & ENCRYPTED or entry.compress_type not in COMPRESSIONS for entry in entries):
        raise Unacceptable(UNKNOWN_ZIP)
    if any(name.lower().endswith("vbaproject.bin") for name in names):
        raise Unacceptable(MACROS)


def _leaves_archive(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in name.split("/")


def _check_prologs(archive: ZipFile, entries: Sequence[ZipInfo]) -> None:
    """Raises Unacceptable for document types, which define external entities (ECMA-376-2, section 8.1.4)."""
    for entry in entries:
        if entry.filename.lower().endswith((".xml", ".rels")) and not _has_no_dtd(_read_beginning(archive, entry)):
            raise Unacceptable(DTD)


def _has_no_dtd(beginning: bytes) -> bool:
    """Whether the first markup besides comments and processing instructions is an element."""
    at = 0
    while (at := beginning.find(b"<", at)) >= 0:
        end = next((end for start, end in SKIPPED.items() if beginning.startswith(start, at)), None)
        if end is None:
            return not beginning.startswith(b"<!", at)
        at = beginning.find(end, at + len(end))
        if at < 0:
            return False
    return len(beginning) < PROLOG_BYTES


def _read_beginning(archive: ZipFile, entry: ZipInfo) -> bytes:
    """The first bytes, without NULs, so that UTF-16 reads like UTF-8."""
    with archive.open(entry) as file:
        return file.read(PROLOG_BYTES).replace(b"\0", b"")


def _declared_main_part(archive: ZipFile, entries: Sequence[ZipInfo]) -> bytes:
    listing = next((entry for entry in entries if entry.filename == CONTENT_TYPES), None)
    if listing is None or listing.file_size > MOST_TYPES_BYTES:
        raise Unacceptable(UNKNOWN_ZIP)
    with archive.open(listing) as file:
        types = file.read(MOST_TYPES_BYTES)
    parts = [
        part
        for part, folder in FOLDERS.items()
        if part in types and any(entry.filename.startswith(folder) for entry in entries)
    ]
    if len(parts) != 1:
        raise Unacceptable(UNKNOWN_ZIP)
    return parts[0]
