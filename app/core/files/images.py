"""Pictures and thumbnails from uploads, decoded one at a time in a separate process (``core/files/decoding``)."""

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
"""Wall-clock time for a busy machine; CPU_SECONDS tells a picture that takes too long."""
FOLDER = Path(__file__).parent
# Last on the path, because some of our modules have names of the standard library.
PROGRAM = "import sys; sys.path.append(sys.argv.pop(1)); from decoding.program import run; run()"
REASONS = {
    "unknown": "Must be a JPEG, PNG, GIF, BMP or WebP picture.",
    "broken": "Is damaged or cut off.",
    "pixels": f"Has more than {MOST_PIXELS // 1_000_000} megapixels.",
    "memory": "Takes too much memory to decode: send it smaller, or as a JPEG.",
}
TOO_LONG = "Takes too long to decode."
LONGEST_VERDICT = 64
STOPPED = (-signal.SIGXCPU, -signal.SIGKILL)


class Images:
    """Decodes one picture at a time in each serving process. ``threads`` is the number of its threads."""

    def __init__(self, threads: int) -> None:
        self._bulkhead = Bulkhead(1, max(1, threads // 4), PATIENCE_SECONDS, "Too many pictures are being decoded.")

    @contextmanager
    def make_pictures(self, field: str, source: BinaryIO, edges: Sequence[int]) -> Iterator[Mapping[int, BinaryIO]]:
        """PNG files by edge, open until the context ends. Raises Invalid and Unavailable."""
        with ExitStack() as stack:
            files = {edge: stack.enter_context(TemporaryFile()) for edge in edges}
            with self._bulkhead.acquire():
                verdict = _decode(source, files)
            if verdict != "done":
                raise Invalid.field(field, REASONS.get(verdict, verdict))
            yield files


def _decode(source: BinaryIO, files: Mapping[int, IO[bytes]]) -> str:
    """The program's verdict, or a reason. Raises Unavailable."""
    source.seek(0)
    descriptors = {edge: file.fileno() for edge, file in files.items()}
    outputs = [f"{edge}:{descriptor}" for edge, descriptor in descriptors.items()]
    # Isolated and without our environment: an exploited codec finds no secret there. Its verdict goes to a file of
    # bounded size, so it cannot fill our memory either.
    with (
        TemporaryFile() as verdict,
        subprocess.Popen(  # noqa: S603
            [sys.executable, "-I", "-c", PROGRAM, str(FOLDER), str(CPU_SECONDS), str(MOST_PIXELS), *outputs],
            stdin=source,
            stdout=verdict,
            stderr=subprocess.DEVNULL,
            pass_fds=list(descriptors.values()),
            cwd="/",
            env={},
        ) as process,
    ):
        return _read_verdict(process, verdict)


def _read_verdict(process: subprocess.Popen[Any], verdict: IO[bytes]) -> str:
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
    verdict.seek(0)
    return verdict.read(LONGEST_VERDICT).decode("ascii", "replace")
