"""Pictures for showing, made of uploads: one at a time, each by a process of its own (``core/files/decoding``)."""

from __future__ import annotations

import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Any, BinaryIO

import structlog

from app.base.errors import Invalid, Unavailable
from app.clients.http.bulkhead import Bulkhead

log = structlog.get_logger(__name__)

WHOLE, THUMBNAILS = 0, (64, 128, 256)
MEDIA_TYPE, SIGNATURE = "image/png", b"\x89PNG\r\n\x1a\n"
MOST_PIXELS = 40_000_000
PATIENCE_SECONDS = 10.0
CPU_SECONDS = 3
SECONDS = 25.0
"""On a busy machine; of the processor it gets less, and then the picture is to blame."""
FOLDER = Path(__file__).parent
# Behind everything else on the path: among our modules are namesakes of the standard library's.
PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from decoding.program import run; run()"
UNKNOWN = "Must be a JPEG, PNG, GIF, BMP or WebP picture."
REASONS = {
    "unknown": UNKNOWN,
    "broken": "Is damaged or cut off.",
    "pixels": f"Has more than {MOST_PIXELS // 1_000_000} megapixels.",
    "memory": "Takes too much memory to decode: send it smaller, or as a JPEG.",
}
TOO_LONG = "Takes too long to decode."
LONGEST_VERDICT = 64
STOPPED = (-signal.SIGXCPU, -signal.SIGKILL)


class Images:
    """One decoding at a time in each serving process; ``threads`` are those of the process."""

    def __init__(self, threads: int) -> None:
        self._bulkhead = Bulkhead(1, max(1, threads // 4), PATIENCE_SECONDS, "Too many pictures are being decoded.")

    @contextmanager
    def made(self, field: str, source: BinaryIO, edges: Sequence[int]) -> Iterator[Mapping[int, BinaryIO]]:
        """PNG files by their edge, for as long as the context lasts. Raises Invalid and Unavailable."""
        with ExitStack() as stack:
            files = {edge: stack.enter_context(TemporaryFile()) for edge in edges}
            with self._bulkhead.acquire():
                verdict = _decoded(source, files)
            if verdict != "done":
                raise Invalid.field(field, REASONS.get(verdict, verdict))
            yield files


def _decoded(source: BinaryIO, files: Mapping[int, IO[bytes]]) -> str:
    """A verdict of the program or a reason. Raises Unavailable."""
    source.seek(0)
    descriptors = {edge: file.fileno() for edge, file in files.items()}
    wanted = [f"{edge}:{descriptor}" for edge, descriptor in descriptors.items()]
    # Isolated, and without our environment: what takes over a codec finds no secret there. Nor can it fill our
    # memory with what it says: files of that process have a bound.
    with (
        TemporaryFile() as said,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-c", PROGRAM, str(FOLDER), str(CPU_SECONDS), str(MOST_PIXELS), *wanted],
            stdin=source,
            stdout=said,
            stderr=subprocess.DEVNULL,
            pass_fds=list(descriptors.values()),
            cwd="/",
            env={},
        ) as process,
    ):
        return _verdict(process, said)


def _verdict(process: subprocess.Popen[Any], said: IO[bytes]) -> str:
    try:
        process.wait(timeout=SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        raise Unavailable("The picture could not be decoded in time.") from None
    if process.returncode in STOPPED:
        return TOO_LONG
    if process.returncode:
        log.warning("decoding_failed", code=process.returncode)
        return "broken"
    said.seek(0)
    return said.read(LONGEST_VERDICT).decode("ascii", "replace")
