"""Load by wrk and its figures: requests/s, latency, CPU of the service and of the database."""

import json
import subprocess
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import psutil

from scripts.bench.servers import Failed, cpu_seconds, find_program

SCRIPT = Path(__file__).with_name("requests.lua")
THREADS, CONNECTIONS = 2, 16


class Request(NamedTuple):
    """``{n}`` in the body is replaced by a unique text."""

    method: str
    path: str
    token: str = ""
    body: str = ""


@dataclass(frozen=True)
class Sample:
    """One run of wrk. ``p50`` and ``p99`` are in ms, CPU in ms per request. ``refused`` counts status 400 or more."""

    requests: float
    seconds: float
    p50: float
    p99: float
    refused: float
    broken: float
    cpu: float
    database_cpu: float

    @property
    def cpu_in_all(self) -> float:
        return self.cpu + self.database_cpu

    @property
    def rate(self) -> float:
        return (self.requests - self.refused) / self.seconds


def write_requests(folder: Path, name: str, requests: Iterable[Request]) -> Path:
    path = folder / "requests" / name
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join("\t".join(request) + "\n" for request in requests))
    return path


def measure(
    url: str, file: Path, seconds: int, workers: Sequence[psutil.Process], database: Sequence[psutil.Process] = ()
) -> Sample:
    """Raises Failed when wrk fails. ``rate`` counts only answers below 400."""
    before, database_before = cpu_seconds(workers), cpu_seconds(database)
    figures = _run_wrk(url, file, seconds)
    requests = max(1, figures["requests"])
    return Sample(
        **figures,
        cpu=(cpu_seconds(workers) - before) * 1000 / requests,
        database_cpu=(cpu_seconds(database) - database_before) * 1000 / requests,
    )


def _run_wrk(url: str, file: Path, seconds: int) -> dict[str, float]:
    command = [find_program("wrk", "wrk"), f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "30s"]
    command += ["-s", str(SCRIPT), url, "--", str(file), f"{time.time_ns():x}"]
    result = subprocess.run(command, capture_output=True, text=True)
    lines = [line for line in result.stdout.splitlines() if line.startswith('{"requests"')]
    if result.returncode or not lines:
        raise Failed(f"wrk failed: {result.stdout}{result.stderr}")
    figures: dict[str, float] = json.loads(lines[-1])
    return figures
