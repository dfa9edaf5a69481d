"""What becomes of pictures, and of large ones."""

import struct
import subprocess
import sys
import zlib
from io import BytesIO
from tempfile import TemporaryFile
from typing import Any

import pytest
from PIL import Image, PngImagePlugin

from app.core.files.images import CPU_SECONDS, FOLDER, MOST_PIXELS, PROGRAM
from tests.core.files.sent import animation, png_of, sent
from tests.core.files.stored import avatar_of
from tests.support.clients import ApiClient, Tenant
from tests.support.marks import one_database
from tests.support.pictures import RED, encoded, opened, picture, png_chunks

MOST_MEMORY = 300_000_000

# What becomes of a picture has nothing to do with the database.
pytestmark = one_database


def shown(me: ApiClient, data: bytes) -> Image.Image:
    """What is served after the upload."""
    answer = sent(me, data)
    assert answer.status_code == 201, answer.text
    return opened(me.get(avatar_of(me)).data)


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


WEBP: dict[str, tuple[str, dict[str, Any]]] = {
    "lossless": ("RGB", {"lossless": True, "quality": 0}),
    "lossy": ("RGB", {"quality": 50}),
    "lossless, transparent": ("RGBA", {"lossless": True, "quality": 0}),
    "lossy, transparent": ("RGBA", {"quality": 50}),
}


@pytest.mark.parametrize("kind", WEBP)
def test_a_webp_of_40_megapixels_is_taken(acme: Tenant, kind: str) -> None:
    mode, options = WEBP[kind]
    image = Image.new(mode, LARGE, (255, 255, 255, 128)[: len(mode)])
    image.paste(RED, (0, 4000, 8000, 5000))
    data = encoded(image, "WEBP", method=0, **options)

    found = shown(acme.admin, data)

    assert (found.size, found.mode) == ((1024, 640), mode)
    assert all(abs(a - b) < 8 for a, b in zip(found.convert("RGB").getpixel((500, 600)), RED, strict=True))
    assert peak_of(data) < MOST_MEMORY


def peak_of(data: bytes) -> int:
    """The most memory that the decoder held, in bytes."""
    tell = "; sys.stderr.write(open('/proc/self/status').read())"
    with TemporaryFile() as source, TemporaryFile() as target:
        source.write(data)
        source.seek(0)
        arguments = [str(FOLDER), str(CPU_SECONDS), str(MOST_PIXELS), f"0:{target.fileno()}"]
        command = [sys.executable, "-I", "-c", PROGRAM + tell, *arguments]
        done = subprocess.run(
            command, stdin=source, capture_output=True, text=True, pass_fds=[target.fileno()], env={}, check=True
        )
    assert done.stdout == "done"
    return 1024 * int(done.stderr.partition("VmHWM:")[2].split()[0])


def test_the_first_frame_of_an_animated_webp_stands_at_its_place(acme: Tenant) -> None:
    frame = picture("WEBP", (20, 10), lossless=True)[12:]

    found = shown(acme.admin, animation((40, 30), frame, (10, 20)))

    assert (found.size, found.mode) == ((40, 30), "RGBA")
    assert [found.getpixel(place) for place in ((9, 25), (10, 20), (29, 29), (30, 25))] == [
        (0, 0, 0, 0), (*RED, 255), (*RED, 255), (0, 0, 0, 0),
    ]  # fmt: skip
