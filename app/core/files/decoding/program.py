"""The program. Nothing of the service is imported, so that it starts quickly.

Codecs are where a hostile file does harm: this process has no more memory and time than it is given, and
takes nobody down with it. Its arguments are the seconds of processor time, the most pixels, and
``EDGE:DESCRIPTOR`` for each picture wanted. It reads standard input, writes a PNG to each descriptor and a
verdict to standard output. Edge 0 stands for the picture itself, at most 1024 a side, any other for a square.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Iterator
from typing import IO, Any

import PIL.WebPImagePlugin  # Pillow does not register this one by itself.
from PIL import Image, ImageOps, UnidentifiedImageError

from . import png

FORMATS = ("JPEG", "PNG", "GIF", "BMP", PIL.WebPImagePlugin.WebPImageFile.format)
LARGEST_EDGE = 1024
ENOUGH = 3 * LARGEST_EDGE // 2
"""As many pixels along the longer side are resampled to LARGEST_EDGE without visible loss."""
DATA_BYTES = 100 * 1024 * 1024
"""With the libraries, which are mapped and not counted, less than 112 MB resident."""
OWN_BYTES = 18 * 1024 * 1024
FILE_BYTES = 16 * 1024 * 1024
NICENESS = 5
"""Those who answer come first; at 10 it would get next to nothing on a busy machine."""
STRIP_BYTES = 1024 * 1024
ORIENTATION = 0x0112
TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
DONE, UNKNOWN, BROKEN, TOO_MANY_PIXELS, TOO_MUCH_MEMORY = ("done", "unknown", "broken", "pixels", "memory")


class Refused(Exception):
    """``args[0]`` is the verdict."""


def run() -> None:
    seconds, most_pixels, *wanted = sys.argv[1:]
    pairs = [each.split(":") for each in wanted]
    confine(int(seconds))
    sys.stdout.write(verdict(int(most_pixels), {int(edge): int(descriptor) for edge, descriptor in pairs}))


def verdict(most_pixels: int, wanted: dict[int, int]) -> str:
    """``wanted`` maps edges to file descriptors."""
    try:
        picture = reduced(sys.stdin.buffer, most_pixels)
        for edge, descriptor in wanted.items():
            write(picture if not edge else square(picture, edge), descriptor)
    except Refused as refused:
        return str(refused)
    except MemoryError:
        return TOO_MUCH_MEMORY
    except Exception:
        # Whatever a codec makes of a hostile file, it is a file that cannot be shown.
        return BROKEN
    return DONE


def confine(seconds: int) -> None:
    """What is exceeded here ends this process, or an allocation in it, and nothing else."""
    os.nice(NICENESS)
    for kind, most in (
        (resource.RLIMIT_DATA, DATA_BYTES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))
    Image.MAX_IMAGE_PIXELS = None  # ``opened`` has its own bound, before anything is decoded.


def reduced(source: IO[bytes], most_pixels: int) -> Image.Image:
    """The first frame, upright, without metadata, in RGB or RGBA, at most LARGEST_EDGE a side. Raises Refused."""
    check_webp(source, most_pixels)
    found, orientation = averaged(opened(source, most_pixels), source)
    found.thumbnail((LARGEST_EDGE, LARGEST_EDGE), Image.Resampling.LANCZOS)
    turn = TURNS.get(orientation) if isinstance(orientation, int) else None
    found = found if turn is None else found.transpose(turn)
    found.info.clear()
    return found


def averaged(image: Image.Image, source: IO[bytes]) -> tuple[Image.Image, Any]:
    """What is resampled, and the orientation. What was decoded is gone by then: both would be too much."""
    if png.is_long(image):
        found = stacked(*png.strips_of(source, rows_at_once(image.size)), image.size)
        return found, orientation_of(image.info.get("exif", b""))
    image = loaded(image)
    found = stacked(image.has_transparency_data, strips_of(image), image.size)
    return found, image.getexif().get(ORIENTATION)


def opened(source: IO[bytes], most_pixels: int) -> Image.Image:
    """Only the header has been read. Raises Refused."""
    try:
        image = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError:
        raise Refused(UNKNOWN) from None
    check_size(image.width, image.height, most_pixels)
    return image


def check_size(width: int, height: int, most_pixels: int) -> None:
    """Raises Refused."""
    if width * height > most_pixels:
        raise Refused(TOO_MANY_PIXELS)


def check_webp(source: IO[bytes], most_pixels: int) -> None:
    """Pillow's WebP decoder takes its memory when it opens a file, so the header is read here. Raises Refused."""
    head = source.read(30).ljust(30, b"\0")
    source.seek(0)
    if head[:4] != b"RIFF" or head[8:12] != b"WEBP":
        return
    size = _webp_size(head)
    check_size(*size, most_pixels)
    # Two frames inside libwebp, and the one that it hands out.
    check_memory(3 * 4 * size[0] * size[1])


def _webp_size(head: bytes) -> tuple[int, int]:
    """RFC 9649, sections 2.5, 2.6 and 2.7."""
    kind = head[12:16]
    if kind == b"VP8X":
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    if kind == b"VP8L":
        bits = int.from_bytes(head[21:25], "little")
        return 1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF)
    return int.from_bytes(head[26:28], "little") & 0x3FFF, int.from_bytes(head[28:30], "little") & 0x3FFF


def loaded(image: Image.Image) -> Image.Image:
    """Decoded; a JPEG as far reduced as it still has enough pixels. Raises Refused."""
    if image.format == "WEBP":
        return _frame_of_webp(image)
    if image.format in ("JPEG", "MPO"):
        _prepare_jpeg(image)
    image.load()
    return image


def _prepare_jpeg(image: Any) -> None:
    """Raises Refused."""
    coefficients = _coefficient_bytes(image) if image.info.get("progressive") else 0
    longest = max(image.size)
    image.draft("RGB", tuple(max(1, side * LARGEST_EDGE // longest) for side in image.size))
    # The picture stands there twice, decoded and as what is resampled.
    check_memory(coefficients + 2 * 4 * image.width * image.height)


def _frame_of_webp(image: Any) -> Image.Image:
    """The first. Pillow would copy it and keep libwebp's two: 20 bytes a pixel in all instead of 12."""
    exif = image.info.get("exif")
    frame = image.__dict__.pop("_decoder").get_next()
    if frame is None:
        raise Refused(BROKEN)
    found = Image.frombuffer(image.rawmode, image.size, frame[0], "raw", image.rawmode, 0, 1)
    found.info.update({"exif": exif} if exif else {})
    return found


def check_memory(needed: int) -> None:
    """For codecs that cannot tell a lack of memory from a damaged file. Raises Refused."""
    if needed > DATA_BYTES - OWN_BYTES:
        raise Refused(TOO_MUCH_MEMORY)


def _coefficient_bytes(image: Any) -> int:
    """What libjpeg holds of a progressive picture whatever its scale: two bytes for each sample."""
    factors = [(across, down) for _, across, down, _ in image.layer]
    largest = max(across for across, _ in factors) * max(down for _, down in factors)
    return int(2 * image.width * image.height * sum(across * down for across, down in factors) / largest)


def orientation_of(exif: bytes) -> Any:
    found = Image.Exif()
    found.load(exif)
    return found.get(ORIENTATION)


def factor_of(size: tuple[int, int]) -> int:
    """By how much a picture is averaged down before it is resampled, which is done on the rest alone."""
    return max(1, max(size) // ENOUGH)


def stacked(alpha: bool, strips: Iterator[Image.Image], size: tuple[int, int]) -> Image.Image:
    """The strips below each other, averaged down: never the whole picture in four bytes a pixel."""
    factor = factor_of(size)
    mode = "RGBA" if alpha else "RGB"
    found = Image.new(mode, (-(-size[0] // factor), -(-size[1] // factor)))
    top = 0
    for strip in strips:
        small = strip.convert(mode).reduce(factor) if factor > 1 else strip.convert(mode)
        found.paste(small, (0, top))
        top += small.height
    return found


def strips_of(image: Image.Image) -> Iterator[Image.Image]:
    height = rows_at_once(image.size)
    for top in range(0, image.height, height):
        yield in_eight_bits(image.crop((0, top, image.width, min(top + height, image.height))))


def in_eight_bits(strip: Image.Image) -> Image.Image:
    """Grey of 16 bits a sample would be cut off at 255 by a conversion, and be white."""
    return strip.point(lambda sample: sample / 256).convert("L") if strip.mode.startswith("I") else strip


def rows_at_once(size: tuple[int, int]) -> int:
    """A multiple of the factor, so that no average crosses two strips."""
    factor = factor_of(size)
    return max(1, STRIP_BYTES // (4 * size[0]) // factor) * factor


def square(picture: Image.Image, edge: int) -> Image.Image:
    return ImageOps.fit(picture, (edge, edge), Image.Resampling.LANCZOS)


def write(picture: Image.Image, descriptor: int) -> None:
    with open(descriptor, "wb", closefd=False) as target:
        picture.save(target, "PNG", compress_level=3)
