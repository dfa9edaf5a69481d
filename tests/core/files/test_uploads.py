"""Uploads that are refused."""

import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image

from app.core.files import images
from tests.core.files.sent import animation, bomb, form, passes, sent
from tests.core.files.stored import avatar_of, files_of, flag_of, objects_of
from tests.support.clients import Tenant
from tests.support.marks import one_database
from tests.support.pictures import encoded, picture, png_chunk
from tests.support.rows import by_row

# What becomes of a picture has nothing to do with the database.
pytestmark = one_database
NOT_A_PICTURE = "Must be a JPEG, PNG, GIF, BMP or WebP picture."
TOO_LARGE = "Has more than 40 megapixels."
DAMAGED = "Is damaged or cut off."


def check_refused(acme: Tenant, data: bytes, reason: str, **options: Any) -> None:
    answer = sent(acme.admin, data, **options)

    assert answer.status_code == 400, answer.text
    assert answer.get_json()["errors"] == {"avatar": [reason]}
    assert flag_of(acme.admin) == (False, None)
    assert (files_of(acme), objects_of(acme)) == ([], set())


# Refused


HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"
FILES = {
    "html": b"<!doctype html><script>alert(1)</script>",
    "svg": b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
    "pdf": b"%PDF-1.7\n1 0 obj\n<<>>\nendobj\n",
    "elf": b"\x7fELF\x02\x01\x01" + bytes(100),
    "psd": b"8BPS\x00\x01" + bytes(6) + b"\x00\x03\x00\x00\x00\x10\x00\x00\x00\x10\x00\x08\x00\x03" + bytes(100),
    "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 10 10\n",
    "text": b"GIF9",
    "html that begins like a picture": b"\x89PNG<html><script>alert(1)</script>",
}


@one_database
@by_row("kind", FILES)
def test_what_is_no_picture_is_refused_whatever_it_is_called(acme: Tenant, kind: str) -> None:
    check_refused(acme, FILES[kind], NOT_A_PICTURE)


@one_database
@by_row("form", ["TIFF", "ICO", "PPM", "TGA", "JPEG2000"])
def test_other_kinds_of_picture_are_refused(acme: Tenant, form: str) -> None:
    check_refused(acme, picture(form, (32, 32)), NOT_A_PICTURE)


@one_database
@by_row("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
@by_row("share", [0.3, 0.9])
def test_a_picture_that_is_cut_off_is_refused(acme: Tenant, form: str, share: float) -> None:
    noise = Image.effect_noise((200, 200), 90).convert("P" if form == "GIF" else "RGB")
    data = encoded(noise, form)

    check_refused(acme, data[: int(len(data) * share)], DAMAGED)


TOO_MANY_PIXELS: dict[str, Callable[[], bytes]] = {
    "900 megapixels": lambda: bomb(30_000, 30_000),
    "a little more than 40": lambda: bomb(6_325, 6_325),
    "GIF": lambda: picture("GIF", (2, 2)).replace(b"\x02\x00\x02\x00", b"\xff\xff\xff\xff", 1),
    "WebP": lambda: picture("WEBP", (16383, 2450), lossless=True),
    "a frame beyond its canvas": lambda: animation((2, 2), picture("WEBP", (16383, 2450), lossless=True)[12:]),
}


@one_database
@by_row("kind", TOO_MANY_PIXELS)
def test_too_many_pixels_are_refused_from_the_header(acme: Tenant, kind: str) -> None:
    check_refused(acme, TOO_MANY_PIXELS[kind](), TOO_LARGE)


def test_texts_that_unpack_to_gigabytes_are_refused(acme: Tenant) -> None:
    ztxt = b"Comment\x00\x00" + zlib.compress(bytes(50_000_000), 9)
    plain = picture()

    check_refused(acme, plain[:33] + png_chunk(b"zTXt", ztxt) + plain[33:], DAMAGED)


def test_a_picture_that_needs_too_much_memory_is_refused_with_that_reason(acme: Tenant) -> None:
    reason = "Takes too much memory to decode: send it smaller, or as a JPEG."

    four_inks = Image.new("CMYK", (6000, 6000))
    check_refused(acme, encoded(four_inks, "JPEG", progressive=True, subsampling=0), reason)


def test_a_jpeg_of_endless_passes_is_stopped(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CPU_SECONDS", 1)

    answer = sent(acme.admin, passes())

    # On a machine that has no time for it, its own patience ends before the processor time.
    assert answer.status_code == 503 or answer.get_json()["errors"] == {"avatar": ["Takes too long to decode."]}
    assert (flag_of(acme.admin), objects_of(acme)) == ((False, None), set())


def test_a_file_larger_than_the_limit_is_refused(acme: Tenant) -> None:
    check_refused(acme, picture() + bytes(5 * 1024 * 1024), "Is larger than 5 MB.")


def test_a_body_larger_than_the_limit_is_413(acme: Tenant) -> None:
    assert sent(acme.admin, bytes(17 * 1024 * 1024)).status_code == 413
    assert flag_of(acme.admin) == (False, None)


def test_a_chunked_body_larger_than_the_limit_is_413(acme: Tenant) -> None:
    body = form((FILE.format("avatar"), bytes(17 * 1024 * 1024)))

    answer = acme.admin.post(
        avatar_of(acme.admin),
        input_stream=BytesIO(body["data"]),
        content_type=body["content_type"],
        environ_overrides={"wsgi.input_terminated": True, "CONTENT_LENGTH": ""},
    )

    assert answer.status_code == 413
    assert flag_of(acme.admin) == (False, None)


def test_an_empty_file_is_refused_as_such(acme: Tenant) -> None:
    check_refused(acme, b"", "Is empty.")


# Forms


@one_database
@pytest.mark.parametrize(
    "name", ["../../../etc/passwd", "a\x00.png", "a\r\nX-Injected: 1.png", "x" * 300 + ".png", "", "\u202egnp.exe"]
)
def test_no_file_name_does_harm(acme: Tenant, name: str) -> None:
    answer = sent(acme.admin, picture(), name=name)

    assert answer.status_code in (201, 400)
    assert "X-Injected" not in answer.headers
    served = acme.admin.get(avatar_of(acme.admin))
    if answer.status_code == 201:
        assert served.headers["Content-Disposition"] == 'inline; filename="avatar.png"'
    else:
        assert (served.status_code, objects_of(acme)) == (404, set())


FILE = 'Content-Disposition: form-data; name="{}"; filename="a.png"'
TEXT = 'Content-Disposition: form-data; name="{}"'
IMAGE = picture()
FORMS: dict[str, tuple[dict[str, Any], int, set[str]]] = {
    "two files": (form((FILE.format("avatar"), IMAGE), (FILE.format("avatar"), IMAGE)), 400, {"avatar"}),
    "another field": (form((FILE.format("picture"), IMAGE)), 400, {"picture"}),
    "a second field": (form((FILE.format("avatar"), IMAGE), (FILE.format("logo"), IMAGE)), 400, {"logo"}),
    "a text too": (form((FILE.format("avatar"), IMAGE), (TEXT.format("name"), b"x")), 400, {"name"}),
    "a text only": (form((TEXT.format("avatar"), b"x")), 400, {"avatar"}),
    "an empty file": (form((FILE.format("avatar"), b"")), 400, {"avatar"}),
    "nothing": (form(), 400, {"avatar"}),
    "no name": (form(("Content-Disposition: form-data", IMAGE)), 400, set()),
    "no header": (form(("X-Nothing: 1", IMAGE)), 400, set()),
    "a name with NUL": (form((FILE.format("ava\0tar"), IMAGE)), 400, set()),
    "a name that is no text": (form((FILE.format("\udcff"), IMAGE)), 400, set()),
    "a text that is no text": (form((FILE.format("avatar"), IMAGE), (TEXT.format("name"), b"\xff")), 400, set()),
    "no end": (form((FILE.format("avatar"), IMAGE), end=b""), 400, set()),
    "no boundary": ({"data": b"x", "content_type": "multipart/form-data"}, 400, set()),
    "another boundary": ({"data": b"--y--", "content_type": "multipart/form-data; boundary=x"}, 400, set()),
    "an empty body": ({"data": b"", "content_type": "multipart/form-data; boundary=x"}, 400, {"avatar"}),
    "too many parts": (form(*[(TEXT.format(f"f{n}"), b"x") for n in range(100)]), 413, set()),
    "a long text": (form((TEXT.format("avatar"), b"x" * 600_000)), 413, set()),
    "JSON": ({"data": b"{}", "content_type": "application/json"}, 415, set()),
    "the picture itself": ({"data": IMAGE, "content_type": "image/png"}, 415, set()),
    "nothing said": ({"data": IMAGE}, 415, set()),
}


@one_database
@by_row("kind", FORMS)
def test_a_form_that_is_not_one_file_is_refused(acme: Tenant, kind: str) -> None:
    body, status, names = FORMS[kind]

    answer = acme.admin.post(avatar_of(acme.admin), **body)

    assert answer.status_code == status, answer.text
    assert set(answer.get_json().get("errors", {})) == names
    assert objects_of(acme) == set()
