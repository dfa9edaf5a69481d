"""Whatever is sent as a picture: a PNG of our own comes out of it, or a reason."""

import struct
import zlib
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from app.core.files import images
from app.core.files.images import SIGNATURE
from tests.core.files.stored import avatar_of, files_of, flag_of, objects_of
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.pictures import RED, encoded, opened, picture, png_chunk, png_chunks, upload
from tests.support.rows import by_row

# What becomes of a picture has nothing to do with the database.
pytestmark = one_database

NOT_A_PICTURE = "Must be a JPEG, PNG, GIF, BMP or WebP picture."
TOO_LARGE = "Has more than 40 megapixels."
DAMAGED = "Is damaged or cut off."


def sent(me: ApiClient, data: bytes, **options: Any) -> Any:
    return upload(me, avatar_of(me), data, **options)


def shown(me: ApiClient, data: bytes) -> Image.Image:
    """What is served after the upload."""
    answer = sent(me, data)
    assert answer.status_code == 201, answer.text
    return opened(me.get(avatar_of(me)).data)


def check_refused(acme: Tenant, data: bytes, reason: str, **options: Any) -> None:
    answer = sent(acme.admin, data, **options)

    assert answer.status_code == 400, answer.text
    assert answer.get_json()["errors"] == {"avatar": [reason]}
    assert flag_of(acme.admin) == (False, None)
    assert (files_of(acme), objects_of(acme)) == ([], set())


# Pictures


@pytest.mark.parametrize("form", ["JPEG", "PNG", "GIF", "BMP", "WEBP"])
def test_a_picture_is_known_by_its_content_whatever_it_is_called(acme: Tenant, form: str) -> None:
    data = {"avatar": (BytesIO(picture(form)), "page.html", "text/html")}

    answer = acme.admin.post(avatar_of(acme.admin), data=data)

    assert answer.status_code == 201
    found = opened(acme.admin.get(avatar_of(acme.admin)).data)
    assert (found.format, found.size) == ("PNG", (40, 30))
    assert all(abs(a - b) < 8 for a, b in zip(found.convert("RGB").getpixel((20, 15)), RED, strict=True))


@pytest.mark.parametrize("size", [(3000, 1000), (1000, 3000), (1025, 1025)])
def test_a_large_picture_becomes_one_of_1024_that_keeps_its_shape(acme: Tenant, size: tuple[int, int]) -> None:
    found = shown(acme.admin, picture("JPEG", size)).size

    assert max(found) == 1024
    assert abs(found[0] / found[1] - size[0] / size[1]) < 0.01


def test_transparency_is_kept(acme: Tenant) -> None:
    clear = Image.new("RGBA", (50, 50), (0, 0, 0, 0))

    found = shown(acme.admin, encoded(clear))

    assert (found.mode, found.getpixel((10, 10))[3]) == ("RGBA", 0)  # type: ignore[index]


def metadata() -> tuple[Image.Exif, PngImagePlugin.PngInfo]:
    exif = Image.Exif()
    exif[0x0112], exif[0x010E], exif[0x013B] = 6, "SECRET", "SECRET"
    exif.get_ifd(0x8825).update({1: "N", 2: (48.0, 51.0, 29.6)})
    text = PngImagePlugin.PngInfo()
    text.add_text("Comment", "SECRET", zip=True)
    text.add_itxt("XML:com.adobe.xmp", "<x>SECRET</x>")
    return exif, text


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP"])
def test_what_is_served_is_upright_and_has_no_metadata(acme: Tenant, form: str) -> None:
    exif, text = metadata()
    # Left half red, right half white; turned clockwise it is red above.
    image = Image.new("RGB", (60, 40), "white")
    image.paste(RED, (0, 0, 30, 40))
    options: dict[str, Any] = {"PNG": {"pnginfo": text}, "JPEG": {"comment": b"SECRET"}, "WEBP": {"lossless": True}}[
        form
    ]
    data = encoded(image, form, exif=exif, icc_profile=b"SECRET" * 30, **options)
    assert b"SECRET" in data

    found = shown(acme.admin, data)
    raw = acme.admin.get(avatar_of(acme.admin)).data

    assert found.size == (40, 60)
    assert found.getpixel((20, 55)) == (255, 255, 255)
    assert (found.info, dict(found.getexif())) == ({}, {})
    assert {kind for kind, _ in png_chunks(raw)} == {b"IHDR", b"IDAT", b"IEND"}
    assert b"SECRET" not in raw


def test_of_an_animation_the_first_picture_is_shown(acme: Tenant) -> None:
    colours = [(index % 256, index // 256, 77) for index in range(5000)]
    frames = [Image.new("P", (8, 8)) for _ in colours]
    for frame, colour in zip(frames, colours, strict=True):
        frame.putpalette(bytes(colour) * 256)
    data = encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])
    assert opened(data).n_frames == 5000  # type: ignore[attr-defined]

    assert shown(acme.admin, data).convert("RGB").getpixel((4, 4)) == (0, 0, 77)


@pytest.mark.parametrize("size", [(50, 40), (3000, 3000)], ids=["small", "reduced in tiles"])
def test_grey_of_sixteen_bits_a_sample_keeps_its_tone(acme: Tenant, size: tuple[int, int]) -> None:
    found = shown(acme.admin, encoded(Image.new("I;16", size, 30_000)))

    assert found.getpixel((10, 10)) == (30_000 >> 8,) * 3


# Large pictures

LARGE = (8000, 5000)
ADAM7 = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)]
"""The first column and row of each pass, and the steps to the next (PNG specification, section 8.2)."""


def sixteen_bits(colour: int, samples: tuple[int, ...], *, interlaced: bool) -> bytes:
    """A PNG of 40 megapixels, of 16 bits a sample and one colour."""
    (width, height), pixel = LARGE, struct.pack(f">{len(samples)}H", *samples)
    packer, packed = zlib.compressobj(1), b""
    for left, top, across, down in ADAM7 if interlaced else [(0, 0, 1, 1)]:
        row = b"\0" + pixel * -(-(width - left) // across)
        packed += b"".join(packer.compress(row) for _ in range(top, height, down))
    ihdr = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, interlaced)
    return png_of(ihdr, packed + packer.flush())


def png_of(ihdr: bytes, data: bytes) -> bytes:
    return SIGNATURE + b"".join(png_chunk(*chunk) for chunk in ((b"IHDR", ihdr), (b"IDAT", data), (b"IEND", b"")))


@pytest.mark.parametrize("interlaced", [False, True], ids=["whole", "interlaced"])
@pytest.mark.parametrize(
    ("colour", "samples"), [(0, (30_000,)), (2, (52_224, 13_056, 13_311)), (6, (52_224, 13_056, 13_311, 65_535))]
)
def test_a_png_of_40_megapixels_and_sixteen_bits_is_taken(
    acme: Tenant, colour: int, samples: tuple[int, ...], interlaced: bool
) -> None:
    found = shown(acme.admin, sixteen_bits(colour, samples, interlaced=interlaced))

    high_bytes = tuple(sample >> 8 for sample in samples)
    assert found.size == (1024, 640)
    assert found.getpixel((500, 300)) == (high_bytes * 3 if colour == 0 else high_bytes)


@pytest.mark.parametrize("subsampling", [0, 2])
def test_a_progressive_jpeg_of_40_megapixels_is_taken(acme: Tenant, subsampling: int) -> None:
    assert shown(acme.admin, picture("JPEG", LARGE, progressive=True, subsampling=subsampling)).size == (1024, 640)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_a_picture_of_40_megapixels_is_taken(acme: Tenant, mode: str) -> None:
    image = Image.new("RGB", LARGE, "white").convert(mode)
    image.paste(image.getpixel((0, 0)) if mode == "P" else RED, (0, 4000, 8000, 5000))

    found = shown(acme.admin, encoded(image, compress_level=1))

    assert found.size == (1024, 640)
    assert found.convert("RGB").getpixel((500, 600)) == ((255, 255, 255) if mode == "P" else RED)


# Refused


HEAD = b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR"


def bomb(width: int, height: int) -> bytes:
    """Some 20 KB that would be gigabytes."""
    ihdr = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return png_of(ihdr, zlib.compress(bytes(20_000_000), 9))


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

    check_refused(acme, picture("WEBP", (6000, 4000), lossless=True), reason)
    four_inks = Image.new("CMYK", (6000, 6000))
    check_refused(acme, encoded(four_inks, "JPEG", progressive=True, subsampling=0), reason)


def test_a_jpeg_of_endless_passes_is_stopped(acme: Tenant, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "CPU_SECONDS", 1)

    answer = sent(acme.admin, passes())

    # On a machine that has no time for it, its own patience ends before the processor time.
    assert answer.status_code == 503 or answer.get_json()["errors"] == {"avatar": ["Takes too long to decode."]}
    assert (flag_of(acme.admin), objects_of(acme)) == ((False, None), set())


def passes(count: int = 175_000) -> bytes:
    """A progressive JPEG whose last scan stands there again and again: each costs a pass over the picture."""
    data = picture("JPEG", (3600, 3600), progressive=True, subsampling=2)
    start = data.rindex(b"\xff\xda")
    scan = data[start:-2]
    return data[:start] + scan * count + b"\xff\xd9"


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


def form(*parts: tuple[str, bytes], end: bytes = b"--x--\r\n") -> dict[str, Any]:
    """A body written by hand, of headers and contents."""
    body = b"".join(
        f"--x\r\n{head}\r\n\r\n".encode(errors="surrogateescape") + content + b"\r\n" for head, content in parts
    )
    return {"data": body + end, "content_type": "multipart/form-data; boundary=x"}


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
