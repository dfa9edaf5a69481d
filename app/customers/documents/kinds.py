"""The kind of a document's file, decided by its bytes alone."""

import codecs
import os
import re
import unicodedata
from typing import BinaryIO, NamedTuple

from app.customers.documents.office_files import DOCX_PART, XLSX_PART, Unacceptable, find_main_part, has_archive


class Kind(NamedTuple):
    """``endings`` are the extensions of file names, the usual one first."""

    media_type: str
    endings: tuple[str, ...]
    signature: re.Pattern[bytes] | None = None

    @property
    def ending(self) -> str:
        return self.endings[0]


OFFICE = "application/vnd.openxmlformats-officedocument"
PDF = Kind("application/pdf", (".pdf",), re.compile(rb"%PDF-"))
TEXT = Kind("text/plain", (".txt",))
DOCX = Kind(f"{OFFICE}.wordprocessingml.document", (".docx",))
XLSX = Kind(f"{OFFICE}.spreadsheetml.sheet", (".xlsx",))
SIGNED = (
    PDF,
    Kind("image/png", (".png",), re.compile(rb"\x89PNG\r\n\x1a\n....IHDR", re.DOTALL)),
    Kind("image/jpeg", (".jpg", ".jpeg", ".jpe", ".jfif"), re.compile(rb"\xff\xd8\xff[\xc0-\xfe]")),
    Kind("image/webp", (".webp",), re.compile(rb"RIFF....WEBPVP8[ LX]", re.DOTALL)),
    Kind("image/tiff", (".tif", ".tiff"), re.compile(rb"II\*\0|MM\0\*|II\+\0\x08\0\0\0|MM\0\+\0\x08\0\0")),
)
OFFICE_KINDS = {DOCX_PART: DOCX, XLSX_PART: XLSX}
KINDS = (*SIGNED, DOCX, XLSX, TEXT)
ENDINGS = frozenset(ending for kind in KINDS for ending in kind.endings)

ZIP_SIGNATURE = b"PK\x03\x04"
HEAD_BYTES = 1024
"""Readers look for the header of a PDF within these bytes (ISO 32000-2, annex I)."""
PDF_TAIL_BYTES = 2048
CHUNK_BYTES = 64 * 1024
UNKNOWN_KIND = "Must be a PDF, PNG, JPEG, WebP, TIFF, DOCX, XLSX or a text in UTF-8."
TWO_KINDS = "Is a file of two kinds at once."
CUT_OFF = "Is cut off: a PDF ends with %%EOF."
MARKUP_REFUSED = "Is HTML or XML, which is not a text."
NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
# Beginnings that browsers recognize as HTML (WHATWG MIME Sniffing, section 7.1), and those of XML and SVG.
MARKUP = re.compile(
    r"\s*<(!--|\?xml|(!doctype|svg|html|head|script|iframe|h1|div|font|table|a|style|title|b|body|br|p)[\s>])",
    re.IGNORECASE,
)


def kind_of(file: BinaryIO) -> Kind:
    """Read the file's ends, or a whole text; decode nothing. Raises Unacceptable."""
    file.seek(0)
    head = file.read(HEAD_BYTES)
    if head.startswith(ZIP_SIGNATURE):
        return OFFICE_KINDS[find_main_part(file)]
    kind = next((kind for kind in SIGNED if kind.signature and kind.signature.match(head)), None)
    if kind is None:
        check_text(file)
        return TEXT
    if has_archive(file) or (kind is not PDF and b"%PDF-" in head):
        raise Unacceptable(TWO_KINDS)
    if kind is PDF and b"%%EOF" not in _read_tail(file):
        raise Unacceptable(CUT_OFF)
    return kind


def _read_tail(file: BinaryIO) -> bytes:
    size = file.seek(0, os.SEEK_END)
    file.seek(max(0, size - PDF_TAIL_BYTES))
    return file.read()


def check_text(file: BinaryIO) -> None:
    """UTF-8 without control characters other than line ends and tabs. Raises Unacceptable."""
    decoder = codecs.getincrementaldecoder("utf-8-sig")()
    file.seek(0)
    is_first = True
    while chunk := file.read(CHUNK_BYTES):
        text = _decode_text(decoder, chunk)
        if is_first and MARKUP.match(text):
            raise Unacceptable(MARKUP_REFUSED)
        is_first = False
    _decode_text(decoder, b"", final=True)


def _decode_text(decoder: codecs.IncrementalDecoder, chunk: bytes, *, final: bool = False) -> str:
    try:
        text: str = decoder.decode(chunk, final)
    except UnicodeDecodeError:
        raise Unacceptable(UNKNOWN_KIND) from None
    if NOT_TEXT.search(text):
        raise Unacceptable(UNKNOWN_KIND)
    return text


MAX_NAME = 255
MAX_RAW_NAME = 1000
# Control characters, marks that change the direction of writing, and code points that are no characters.
UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff\ufffd\ud800-\udfff]")


def safe_name(name: str, kind: Kind) -> str:
    """The sender's name without folders and UNSAFE characters, with the extension of its kind."""
    text = UNSAFE.sub("", re.split(r"[/\\]", name)[-1][-MAX_RAW_NAME:])
    stem, ending = os.path.splitext(unicodedata.normalize("NFC", text).strip(" ."))
    if ending.lower() not in kind.endings:
        # An extension of another kind is wrong; any other may be part of the name.
        stem, ending = (stem if ending.lower() in ENDINGS else stem + ending), kind.ending
    return (stem.strip(" .") or "document")[: MAX_NAME - len(ending)] + ending
