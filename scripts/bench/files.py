"""Pictures: a download compared with a bare ``send_file``, and the time of a large upload."""

import statistics
import time
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from scripts.bench.cases import Case, Setting, call, client, gets
from scripts.bench.client import expect

FLOOR_FILE = "floor c: send_file of 100 KB"
FLOOR_WITH_SESSION = "floor c: send_file of 100 KB, with a session"
EDGE = 183
"""Pixels per side. Noise does not compress, so the file has 100 KB."""
JPEG_BYTES = 5 * 1024 * 1024
REPEATS = 5


def floor_file(folder: Path) -> Path:
    """The file of the floor, with the same bytes as the service's."""
    return folder / "logo.png"


def downloads(setting: Setting, service: str, folder: Path) -> list[Case]:
    path, token = f"/customers/{setting.customers[0]}/logo", setting.large.tokens[0]
    upload(service, path, token, _noise((EDGE, EDGE), "PNG"))
    logo = expect(call(service, "GET", path, token), 200)
    floor_file(folder).write_bytes(logo.content)
    return [
        Case(FLOOR_FILE, gets(["/c/file"], setting.large)),
        Case(FLOOR_WITH_SESSION, gets([f"/c/file/{setting.customers[0]}"], setting.large)),
        Case("logo of 100 KB", gets([path], setting.large), FLOOR_WITH_SESSION, 0.7),
        Case("logo, thumbnail of 64", gets([f"{path}?size=64"], setting.large)),
    ]


def upload_seconds(service: str, setting: Setting) -> dict[str, float]:
    """A JPEG of almost 5 MB, by one caller."""
    data, quality = b"", 95
    while not data or len(data) > JPEG_BYTES:
        data, quality = _noise((4032, 3024), "JPEG", quality=quality), quality - 5
    path, token = f"/customers/{setting.customers[1]}/logo", setting.large.tokens[0]
    times = [_upload_seconds(service, path, token, data) for _ in range(REPEATS)]
    return {"upload_of_a_5_mb_jpeg_s": statistics.median(times)}


def _upload_seconds(service: str, path: str, token: str, data: bytes) -> float:
    started = time.perf_counter()
    upload(service, path, token, data)
    return time.perf_counter() - started


def upload(service: str, path: str, token: str, data: bytes) -> None:
    expect(client.call("POST", service + path, token, files={"logo": ("logo", data)}), 201)


def _noise(size: tuple[int, int], form: str, **options: Any) -> bytes:
    target = BytesIO()
    Image.merge("RGB", [Image.effect_noise(size, 60) for _ in "RGB"]).save(target, form, **options)
    return target.getvalue()
