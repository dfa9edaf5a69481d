"""What may be a document, told by its bytes alone; and what becomes of its name."""

import random
import struct
import tracemalloc
import zlib
from io import BytesIO
from zipfile import ZIP_BZIP2, ZIP_DEFLATED, ZIP_STORED, ZipFile, ZipInfo

from app.customers.documents.kinds import CHUNK_BYTES, DOCX, KINDS, PDF, TEXT, XLSX, Kind, kind_of, safe_name
from app.customers.documents.office_files import (
    BOMB,
    DAMAGED,
    DOCX_PART,
    DTD,
    END_SIGNATURE,
    MACROS,
    MB,
    MOST_ENTRIES,
    PROLOG_BYTES,
    UNKNOWN_ZIP,
    XLSX_PART,
    Unacceptable,
)
from tests.core.files.stored import files_of, objects_of
from tests.customers.documents import files
from tests.customers.documents.files import archive, office, samples, send
from tests.customers.dossier import customer
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.pictures import picture
from tests.support.rows import by_row

DECLARED = b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY e SYSTEM "file:///etc/passwd">]><x>&e;</x>'


def reason(data: bytes) -> str:
    """Why it is refused; empty if it is not."""
    try:
        kind_of(BytesIO(data))
    except Unacceptable as unacceptable:
        return str(unacceptable)
    return ""


@by_row("ending", samples())
def test_a_kind_is_known_by_its_bytes(ending: str) -> None:
    kind = kind_of(BytesIO(samples()[ending]))

    assert ending in kind.endings
    assert kind in KINDS


REFUSED = {
    "an ELF program": b"\x7fELF\x02\x01\x01" + bytes(64),
    "a Windows program": b"MZ\x90\x00" + bytes(64),
    "HTML": b"<!DOCTYPE html><html><script>alert(1)</script></html>",
    "HTML behind a mark and blanks": b"\xef\xbb\xbf \n\t<SCRIPT >alert(1)</SCRIPT>",
    "HTML behind a comment": b"<!-- x --><script>alert(1)</script>",
    "SVG": b'<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>',
    "XML": b'<?xml version="1.0"?><a/>',
    "GIF": picture("GIF"),
    "BMP": picture("BMP"),
    "Latin-1": "Größe".encode("latin-1"),
    "UTF-16": "Text".encode("utf-16"),
    "a control character": b"text\x1b[31mred",
    "a NUL": b"text\x00",
    "half a character": "Grüße €".encode()[:-1],
    "half a character at the border of a chunk": b"a" * (CHUNK_BYTES - 1) + b"\xc3" + b"a",
    "a lone surrogate": b"\xed\xa0\x80",
    "the beginning of a PDF": files.PDF[: files.PDF.index(b"%%EOF")],
    "a PNG without its header": b"\x89PNG\r\n\x1a\n" + bytes(30),
    "a WAV": b"RIFF\x24\0\0\0WAVEfmt ",
    "an old Office file": b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504),
    "RAR": b"Rar!\x1a\x07\x00",
    "PostScript with a PDF below it": b"%!PS-Adobe\x04 %PDF-1.7 %%EOF",
}


@one_database
@by_row("what", REFUSED)
def test_anything_else_is_refused_whatever_it_is_called(acme: Tenant, what: str) -> None:
    owner = customer(acme)

    answers = [
        send(acme.admin, owner, REFUSED[what], name, media_type="application/pdf") for name in ("a.pdf", "a.txt")
    ]

    assert [(each.status_code, list(each.get_json()["errors"])) for each in answers] == [(400, ["file"])] * 2
    assert (files_of(acme), objects_of(acme)) == ([], set())


def test_a_long_text_is_read_to_its_end() -> None:
    text = ("Grüße, 世界 😀\n" * 20_000).encode()

    assert kind_of(BytesIO(text)) == TEXT
    assert kind_of(BytesIO(b"\xef\xbb\xbf" + text)) == TEXT
    assert reason(text + b"\x00")
    assert reason(text[:-3] + b"\xff\n")


def test_markup_that_is_not_at_the_beginning_is_text() -> None:
    for text in (b"See <html>.", b"<ada@example.com> wrote:", b"a < b and b > a", b"<>"):
        assert kind_of(BytesIO(text)) == TEXT


# Files of two kinds


@by_row("ending", [".pdf", ".png", ".jpg", ".webp", ".tif"])
def test_a_file_that_is_a_zip_as_well_is_refused(ending: str) -> None:
    data = samples()[ending]
    with_comment = archive({"Evil.class": b"\xca\xfe\xba\xbe"})[:-2] + struct.pack("<H", 9) + b"%%EOF    "

    for appended in (archive({"a": b"b"}), with_comment, office(), archive({"a": b"b"}) + bytes(5000) + b"%%EOF"):
        assert "two kinds" in reason(data + appended)


@by_row("ending", [".png", ".jpg", ".webp", ".tif"])
def test_a_picture_that_is_a_pdf_as_well_is_refused(ending: str) -> None:
    data = samples()[ending]

    assert "two kinds" in reason(data[:40] + files.PDF + data[40:])


def test_the_signature_of_a_zip_alone_makes_no_zip() -> None:
    assert kind_of(BytesIO(files.PDF + END_SIGNATURE + bytes(18) + b"\n%%EOF")) == PDF


def test_a_zip_with_something_before_or_behind_it_is_no_office_file() -> None:
    behind = office() + b"%PDF-1.7 %%EOF"
    before = b"PK\x03\x04" + bytes(26) + office()

    assert reason(behind) == reason(before) == DAMAGED


# Office files


def test_an_office_file_is_told_by_its_types_and_its_parts() -> None:
    assert (kind_of(BytesIO(office("word"))), kind_of(BytesIO(office("xl")))) == (DOCX, XLSX)
    for data in (
        archive({"a.txt": b"text"}),
        archive({"word/document.xml": b"<a/>"}),
        archive({"[Content_Types].xml": DOCX_PART}),
        office("word", types=b"<Types/>"),
        office("ppt"),
        office("word", types=XLSX_PART),
        office("word", types=DOCX_PART + XLSX_PART, **{"xl/workbook.xml": b"<a/>"}),
    ):
        assert reason(data) == UNKNOWN_ZIP


def test_macros_are_refused() -> None:
    assert reason(office("word", **{"word/vbaProject.bin": b"\xd0\xcf"})) == MACROS


@by_row("part", ["[Content_Types].xml", "word/document.xml", "word/_rels/document.xml.rels"])
@by_row("encoding", ["utf-8", "utf-16"])
def test_a_part_that_declares_entities_is_refused(part: str, encoding: str) -> None:
    data = DECLARED.decode().encode(encoding)

    assert reason(archive({"[Content_Types].xml": DOCX_PART, "word/document.xml": b"<a/>"} | {part: data})) == DTD


def test_zip_bombs_are_refused_by_what_they_declare() -> None:
    zeros, size = zlib.compressobj(9, zlib.DEFLATED, -15), 40 * MB
    packed = b"".join(zeros.compress(bytes(MB)) for _ in range(size // MB)) + zeros.flush()
    bomb = declared({"word/media/a.bmp": (packed, size)})
    assert len(bomb) < MB // 10

    tracemalloc.start()
    found = reason(bomb)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert found == BOMB
    assert peak < 2 * MB


def declared(parts: dict[str, tuple[bytes, int]], method: int = ZIP_DEFLATED) -> bytes:
    """An office file with further parts, already packed, that declare a size."""
    target = BytesIO(office())
    with ZipFile(target, "a") as written:
        for name, (packed, size) in parts.items():
            info = ZipInfo(name)
            info.compress_type, info.header_offset = method, written.start_dir
            info.CRC, info.compress_size, info.file_size = 0, len(packed), size
            written.fp.seek(written.start_dir)  # type: ignore[union-attr]
            written.fp.write(info.FileHeader(zip64=False) + packed)  # type: ignore[union-attr]
            written.start_dir = written.fp.tell()  # type: ignore[union-attr]
            written.filelist.append(info)
            written._didModify = True  # type: ignore[attr-defined]
    return target.getvalue()


def test_a_document_that_packs_well_is_no_bomb() -> None:
    assert reason(office("xl", **{"xl/worksheets/sheet1.xml": b"<row><c/></row>" * 600_000})) == ""


def test_parts_that_overlap_are_refused() -> None:
    """One core of compressed bytes, listed many times: what is listed is more than there is."""
    data = declared({f"word/media/{n}": (b"x" * 1000, 1000) for n in range(40)}, ZIP_STORED)
    whole = len(data)
    lying = data.replace(struct.pack("<LL", 1000, 1000), struct.pack("<LL", whole, whole))

    assert reason(data) == ""
    assert reason(lying) == BOMB


def test_a_directory_of_too_many_parts_is_refused_before_it_is_read() -> None:
    many = {f"word/{n}": b"" for n in range(MOST_ENTRIES)}

    assert reason(office("word", **many)) == BOMB


@by_row("name", ["../evil.xml", "word/../../evil", "/etc/passwd", "word\\..\\evil", "WORD/DOCUMENT.XML"])
def test_names_that_lead_out_or_stand_twice_are_refused(name: str) -> None:
    assert reason(office("word", **{name: b"<a/>"})) == DAMAGED


def test_other_methods_and_encryption_are_refused() -> None:
    listing = {"[Content_Types].xml": DOCX_PART, "word/document.xml": b"<a/>"}
    encrypted = bytearray(office())
    place = encrypted.rindex(b"PK\x01\x02")
    encrypted[place + 8] |= 1

    assert reason(archive(listing, ZIP_BZIP2)) == UNKNOWN_ZIP
    assert reason(bytes(encrypted)) == UNKNOWN_ZIP


def test_zip64_is_refused() -> None:
    data = office()
    place = data.rindex(END_SIGNATURE)

    assert reason(data[:place] + b"PK\x06\x07" + bytes(16) + data[place:]) == DAMAGED


def test_damaged_office_files_never_crash() -> None:
    dice, data = random.Random(6), office("word", **{"word/a.xml": b"<a/>" * 50})

    for _ in range(3000):
        broken = bytearray(data)
        for _ in range(dice.randint(1, 4)):
            broken[dice.randrange(4, len(broken))] = dice.randrange(256)
        reason(bytes(broken[: dice.choice((None, dice.randrange(4, len(broken))))]))


def test_a_declaration_behind_comments_is_found_and_a_prolog_without_end_is_refused() -> None:
    behind = b'<?xml version="1.0"?><!-- ' + b"x" * 2000 + b" -->" + DECLARED.partition(b"?>")[2]
    endless = b"<!--" + b"x" * PROLOG_BYTES + b"--><x/>"
    harmless = b'<?xml version="1.0"?><!-- <!DOCTYPE x> --><x>' + b"y" * PROLOG_BYTES + b"</x>"

    found = [reason(office("word", **{"word/a.xml": each})) for each in (behind, endless, harmless)]

    assert found == [DTD, DTD, ""]


# Names

LONG = "x" * 300


@by_row(
    ("given", "kind", "kept"),
    [
        ("scan.pdf", PDF, "scan.pdf"),
        ("Scan.PDF", PDF, "Scan.PDF"),
        ("photo.png", PDF, "photo.pdf"),
        ("report.v2", PDF, "report.v2.pdf"),
        ("setup.exe", PDF, "setup.exe.pdf"),
        ("page.html", TEXT, "page.html.txt"),
        ("  .. ", PDF, "document.pdf"),
        ("", DOCX, "document.docx"),
        ("../../etc/passwd", TEXT, "passwd.txt"),
        ("C:\\Users\\ada\\Paß.pdf", PDF, "Paß.pdf"),
        ("a\r\nSet-Cookie: x=1.pdf", PDF, "aSet-Cookie: x=1.pdf"),
        ("a\x00b.pdf", PDF, "ab.pdf"),
        ("invoice\u202efdp.exe.pdf", PDF, "invoicefdp.exe.pdf"),
        ("\ud800\ufeffa.pdf", PDF, "a.pdf"),
        (".pdf", PDF, "pdf.pdf"),
        ("契約書.pdf", PDF, "契約書.pdf"),
        (f"{LONG}.pdf", PDF, "x" * 251 + ".pdf"),
        (LONG, XLSX, "x" * 250 + ".xlsx"),
    ],
)
def test_a_name_is_kept_without_what_leads_out_or_deceives(given: str, kind: Kind, kept: str) -> None:
    assert safe_name(given, kind) == kept


def test_a_name_can_be_as_long_as_it_likes() -> None:
    assert len(safe_name("\u0301" * 400_000 + ".pdf", PDF)) <= 255
