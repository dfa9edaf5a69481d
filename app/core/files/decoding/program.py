"""The program that decodes one picture. It imports nothing of the service, so that it starts quickly.

A hostile file attacks a codec: this process has bounds on memory and time, and its end harms no other.
Arguments: the seconds of processor time, the most pixels, and ``EDGE:DESCRIPTOR`` for each picture to write.
The program reads standard input, writes a PNG to each descriptor and a verdict to standard output. Edge 0 is the
picture itself, at most 1024 pixels a side; any other edge is the side of a square.
"""

import os
import resource
import sys
from collections.abc import Iterator
from typing import IO, Any

from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ExifTags import Base

from .verdicts import BROKEN, DONE, TOO_MUCH_MEMORY, UNKNOWN, InvalidPicture, check_size
from .webp import decode_webp, is_webp

FORMATS, HEAD = ("JPEG", "PNG", "GIF", "BMP"), 12
LARGEST_EDGE = 1024
ENOUGH = 3 * LARGEST_EDGE // 2
"""Resampling from this edge to LARGEST_EDGE has no visible loss."""
DATA_BYTES = 285_000_000
"""Below 300 MB resident with the libraries, which RLIMIT_DATA does not count."""
OWN_BYTES = 19_000_000
FILE_BYTES = 16 * 1024 * 1024
NICENESS = 5
"""Requests come first; at 10 a busy machine would leave almost no time."""
TILE_EDGE = 512


def run() -> None:
    seconds, most_pixels, *outputs = sys.argv[1:]
    pairs = [output.split(":") for output in outputs]
    confine(int(seconds))
    sys.stdout.write(decode(int(most_pixels), {int(edge): int(descriptor) for edge, descriptor in pairs}))


def decode(most_pixels: int, descriptors: dict[int, int]) -> str:
    """The verdict. ``descriptors`` maps edges to file descriptors."""
    try:
        picture = reduce(sys.stdin.buffer, most_pixels)
        for edge, descriptor in descriptors.items():
            write(picture if not edge else square(picture, edge), descriptor)
    except InvalidPicture as invalid:
        return str(invalid)
    except MemoryError:
        return TOO_MUCH_MEMORY
    except Exception:
        # A codec raises anything at a hostile file; such a file cannot be shown.
        return BROKEN
    return DONE


def confine(seconds: int) -> None:
    """Bound this process: an excess ends it, or fails an allocation in it."""
    os.nice(NICENESS)
    for kind, most in (
        (resource.RLIMIT_DATA, DATA_BYTES),
        (resource.RLIMIT_CPU, seconds),
        (resource.RLIMIT_FSIZE, FILE_BYTES),
        (resource.RLIMIT_CORE, 0),
        (resource.RLIMIT_NPROC, 0),
    ):
        resource.setrlimit(kind, (most, most))
    Image.MAX_IMAGE_PIXELS = None  # ``open_picture`` has its own bound, before anything is decoded.


def reduce(source: IO[bytes], most_pixels: int) -> Image.Image:
    """The first frame, upright, RGB or RGBA, without metadata, at most LARGEST_EDGE a side. Raises InvalidPicture."""
    head = source.read(HEAD)
    source.seek(0)
    if is_webp(head):
        picture = decode_webp(source.read(), most_pixels, ENOUGH)
    else:
        picture = average(open_picture(source, most_pixels))
    picture.thumbnail((LARGEST_EDGE, LARGEST_EDGE), Image.Resampling.LANCZOS)
    ImageOps.exif_transpose(picture, in_place=True)
    picture.info.clear()
    return picture


def open_picture(source: IO[bytes], most_pixels: int) -> Image.Image:
    """Reads the header only. Raises InvalidPicture."""
    try:
        image = Image.open(source, formats=FORMATS)
    except UnidentifiedImageError:
        raise InvalidPicture(UNKNOWN) from None
    check_size(image.width, image.height, most_pixels)
    return image


def load(image: Image.Image) -> Image.Image:
    """Decode, a JPEG at the smallest scale that has enough pixels. Raises InvalidPicture."""
    if image.format in ("JPEG", "MPO"):
        _prepare_jpeg(image)
    image.load()
    return image


def _prepare_jpeg(image: Any) -> None:
    """Raises InvalidPicture."""
    coefficients = _coefficient_bytes(image) if image.info.get("progressive") else 0
    longest = max(image.size)
    image.draft("RGB", tuple(max(1, side * LARGEST_EDGE // longest) for side in image.size))
    # Memory holds the picture twice: decoded, and averaged.
    check_memory(coefficients + 2 * 4 * image.width * image.height)


def check_memory(needed: int) -> None:
    """Needed where a codec reports a lack of memory as a damaged file. Raises InvalidPicture."""
    if needed > DATA_BYTES - OWN_BYTES:
        raise InvalidPicture(TOO_MUCH_MEMORY)


def _coefficient_bytes(image: Any) -> int:
    """The memory that libjpeg takes for a progressive picture at any scale, at two bytes a sample."""
    factors = [(across, down) for _, across, down, _ in image.layer]
    largest = max(across for across, _ in factors) * max(down for _, down in factors)
    return int(2 * image.width * image.height * sum(across * down for across, down in factors) / largest)


def average(image: Image.Image) -> Image.Image:
    """The picture, averaged down for resampling, by tiles: a whole copy would take four bytes a pixel."""
    image = load(image)
    mode = "RGBA" if image.has_transparency_data else "RGB"
    # The number of pixels along a side that become one.
    factor = max(1, max(image.size) // ENOUGH)
    small = Image.new(mode, (-(-image.width // factor), -(-image.height // factor)))
    for left, top, tile in tiles_of(image, max(1, TILE_EDGE // factor) * factor):
        tile = tile.convert(mode)
        small.paste(tile.reduce(factor) if factor > 1 else tile, (left // factor, top // factor))
    small.getexif()[Base.Orientation] = image.getexif().get(Base.Orientation, 1)
    return small


def tiles_of(image: Image.Image, edge: int) -> Iterator[tuple[int, int, Image.Image]]:
    """Each tile after its left and its top."""
    for top in range(0, image.height, edge):
        for left in range(0, image.width, edge):
            right, bottom = min(left + edge, image.width), min(top + edge, image.height)
            yield left, top, to_eight_bits(image.crop((left, top, right, bottom)))


def to_eight_bits(tile: Image.Image) -> Image.Image:
    """Scale grey of 16 bits a sample, which a conversion would clip to white."""
    return tile.point(lambda sample: sample / 256).convert("L") if tile.mode.startswith("I") else tile


def square(picture: Image.Image, edge: int) -> Image.Image:
    return ImageOps.fit(picture, (edge, edge), Image.Resampling.LANCZOS)


def write(picture: Image.Image, descriptor: int) -> None:
    with open(descriptor, "wb", closefd=False) as target:
        picture.save(target, "PNG", compress_level=3)
