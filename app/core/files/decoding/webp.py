"""WebP by libwebp itself, which scales while it decodes (decode.h of libwebp, ABI 2).

Pillow decodes by the API for animations: three frames of four bytes a pixel, 480 MB at 40 megapixels. Here lossy
pictures take some rows, lossless ones four bytes a pixel, and an alpha channel one more.
"""

import ctypes
from ctypes import POINTER, Structure, byref, c_char_p, c_int, c_size_t, c_uint8, c_uint32, c_void_p
from typing import Any, NamedTuple

import PIL._webp
from PIL import Image
from PIL.ExifTags import Base

from .verdicts import BROKEN, TOO_MUCH_MEMORY, InvalidPicture, check_size

ABI = 0x0200
OUT_OF_MEMORY = 1
FRAME_HEADER = 16
NAMES = (b"VP8X", b"ANMF", b"EXIF")
MODES = ("RGB", "RGBA")
"""libwebp has the same numbers for them."""


class Features(Structure):
    _fields_ = [(name, c_int) for name in ("width", "height", "has_alpha", "has_animation", "format")]
    _fields_ += [("pad", c_uint32 * 5)]


class Output(Structure):
    """WebPDecBuffer, whose union is the wider of its parts."""

    _fields_ = [
        *((name, c_int) for name in ("mode", "width", "height", "is_external")),
        ("pixels", POINTER(c_uint8)),
        ("stride", c_int),
        ("size", c_size_t),
        ("rest_of_union", c_uint8 * (8 * 10 - 24)),
        ("pad", c_uint32 * 4),
        ("private", c_void_p),
    ]


class Options(Structure):
    _fields_ = [(name, c_int) for name in (
        "bypass_filtering", "no_fancy_upsampling", "use_cropping", "crop_left", "crop_top", "crop_width",
        "crop_height", "use_scaling", "scaled_width", "scaled_height", "use_threads", "dithering", "flip",
        "alpha_dithering",
    )]  # fmt: skip
    _fields_ += [("pad", c_uint32 * 5)]


class Config(Structure):
    _fields_ = [("input", Features), ("output", Output), ("options", Options)]


class Frame(NamedTuple):
    """The first frame of a file, its place on the canvas, and the canvas."""

    bitstream: bytes
    left: int
    top: int
    canvas: tuple[int, int]


def is_webp(head: bytes) -> bool:
    return head[:4] == b"RIFF" and head[8:12] == b"WEBP"


def decode_webp(data: bytes, most_pixels: int, edge: int) -> Image.Image:
    """The first frame, at most ``edge`` a side, with its orientation. Raises InvalidPicture."""
    chunks = _chunks(data)
    frame = _first_frame(data, chunks)
    check_size(*frame.canvas, most_pixels)
    factor = min(1.0, edge / max(frame.canvas))
    picture = _decode(frame.bitstream, most_pixels, factor)
    if b"ANMF" in chunks:
        canvas = Image.new("RGBA", _scaled(*frame.canvas, factor))
        canvas.paste(picture, (round(frame.left * factor), round(frame.top * factor)))
        picture = canvas
    exif = Image.Exif()
    exif.load(bytes(chunks.get(b"EXIF", b"")))
    picture.getexif()[Base.Orientation] = exif.get(Base.Orientation, 1)
    return picture


def _chunks(data: bytes) -> dict[bytes, memoryview]:
    """The first chunk of each name that matters here (RFC 9649, section 2.3)."""
    found: dict[bytes, memoryview] = {}
    view, start = memoryview(data), 12
    while start + 8 <= len(data):
        name, size = data[start : start + 4], int.from_bytes(view[start + 4 : start + 8], "little")
        if name in NAMES:
            found.setdefault(name, view[start + 8 : start + 8 + size])
        start += 8 + size + size % 2
    return found


def _first_frame(data: bytes, chunks: dict[bytes, memoryview]) -> Frame:
    """RFC 9649, sections 2.7.1 and 2.7.1.1."""
    if b"ANMF" not in chunks:
        features = _features(data)
        return Frame(data, 0, 0, (features.width, features.height))
    header, animation = chunks.get(b"VP8X", memoryview(b"")), chunks[b"ANMF"]
    left, top = (2 * int.from_bytes(animation[at : at + 3], "little") for at in (0, 3))
    canvas = tuple(1 + int.from_bytes(header[at : at + 3], "little") for at in (4, 7))
    return Frame(bytes(animation[FRAME_HEADER:]), left, top, (canvas[0], canvas[1]))


def _library() -> Any:
    """Pillow's, whose own module is linked with it."""
    library = ctypes.CDLL(PIL._webp.__file__)
    library.WebPDecode.argtypes = [c_char_p, c_size_t, POINTER(Config)]
    library.WebPGetFeaturesInternal.argtypes = [c_char_p, c_size_t, POINTER(Features), c_int]
    return library


def _features(bitstream: bytes) -> Features:
    """Raises InvalidPicture."""
    features = Features()
    _check(_library().WebPGetFeaturesInternal(bitstream, len(bitstream), byref(features), ABI))
    return features


def _decode(bitstream: bytes, most_pixels: int, factor: float) -> Image.Image:
    """Raises InvalidPicture. The size of a frame is its own, whatever the file around it says."""
    features, config, library = _features(bitstream), Config(), _library()
    check_size(features.width, features.height, most_pixels)
    if not library.WebPInitDecoderConfigInternal(byref(config), ABI):
        raise InvalidPicture(BROKEN)
    mode = MODES[bool(features.has_alpha)]
    width, height = _scaled(features.width, features.height, factor)
    pixels = (c_uint8 * (width * height * len(mode)))()
    output, options = config.output, config.options
    output.mode, output.is_external = MODES.index(mode), 1
    output.pixels, output.stride, output.size = ctypes.cast(pixels, POINTER(c_uint8)), width * len(mode), len(pixels)
    options.use_scaling, options.scaled_width, options.scaled_height = int(factor < 1), width, height
    _check(library.WebPDecode(bitstream, len(bitstream), byref(config)))
    return Image.frombytes(mode, (width, height), bytes(pixels))


def _scaled(width: int, height: int, factor: float) -> tuple[int, int]:
    return max(1, round(width * factor)), max(1, round(height * factor))


def _check(status: int) -> None:
    """Raises InvalidPicture for a VP8StatusCode other than OK."""
    if status:
        raise InvalidPicture(TOO_MUCH_MEMORY if status == OUT_OF_MEMORY else BROKEN)
