"""Compares worker settings: their speed, and their remaining capacity when the policy engine hangs."""

import statistics
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import requests

from scripts.bench.cases import Case, Setting, gets
from scripts.bench.client import Client
from scripts.bench.load import Sample, measure, write_requests
from scripts.bench.rounds import Memory, Pace, Samples, Target, memory_of, note, run_rounds
from scripts.bench.servers import Gunicorn, Postgres, gunicorn, silent_engine, wait_until
from scripts.bench.singles import is_answering

HANGING_SECONDS = 12
PROBE_EVERY = 0.1


class Workers(NamedTuple):
    kind: str
    threads: int

    @property
    def name(self) -> str:
        return "sync" if self.kind == "sync" else f"gthread, {self.threads} threads"

    def environ(self, common: Mapping[str, str]) -> dict[str, str]:
        return {**common, "THREADS": str(self.threads)}


COMPARED = (Workers("sync", 1), *(Workers("gthread", threads) for threads in (4, 8, 16, 32)))


@dataclass(frozen=True)
class Hanging:
    """Times in ms of /health and of /auth/verify, which needs no engine, while every call to the engine hangs."""

    health_p50: float
    health_worst: float
    verify_p50: float
    verify_worst: float
    probes_failed: int
    load: Sample


def compare_workers(
    environ: Mapping[str, str], setting: Setting, database: Postgres, folder: Path, pace: Pace
) -> tuple[Samples, dict[str, Memory]]:
    """Samples by ``<workers>: item`` and ``<workers>: list of 50``; memory of a worker under load."""
    item = Case("item", gets([f"/customers/{id}" for id in setting.customers[:1000]], setting.large))
    page = Case("list of 50", gets(["/customers"], setting.large))
    with ExitStack() as stack:
        servers = {workers.name: stack.enter_context(_serve(workers, environ, folder)) for workers in COMPARED}
        targets = {
            f"{name}: {case.name}": Target(server, case) for case in (item, page) for name, server in servers.items()
        }
        samples = run_rounds(targets, database, folder, pace)
        return samples, {name: memory_of(server.workers()) for name, server in servers.items()}


@contextmanager
def _serve(workers: Workers, environ: Mapping[str, str], folder: Path) -> Iterator[Gunicorn]:
    with gunicorn("wsgi:app", workers.environ(environ), folder / "workers.log", workers.kind) as server:
        wait_until(lambda: is_answering(server.url, "/health/live"), workers.name)
        yield server


def measure_hanging(environ: Mapping[str, str], setting: Setting, folder: Path) -> dict[str, Hanging]:
    """Measure with 16 callers whose permission checks never end, and one caller of /health."""
    file = write_requests(folder, "hanging", gets([f"/customers/{setting.customers[0]}"], setting.large))
    hanging = {}
    for workers in COMPARED:
        with silent_engine() as engine:
            own = workers.environ(environ) | {"GUARDIAN_SERVICE_URL": engine}
            with gunicorn("wsgi:app", own, folder / "hanging.log", workers.kind) as server:
                wait_until(lambda url=server.url: is_answering(url, "/health/live"), workers.name)  # type: ignore[misc]
                hanging[workers.name] = _measure_hanging(server, setting.large.tokens[0], file)
                note(f"{workers.name}: {hanging[workers.name]}")
    return hanging


def _measure_hanging(server: Gunicorn, token: str, file: Path) -> Hanging:
    probes = [Probe(server.url, path, token) for path in ("/health", "/auth/verify")]
    for probe in probes:
        probe.start()
    load = measure(server.url, file, HANGING_SECONDS, server.workers())
    for probe in probes:
        probe.stop()
    health, verify = (sorted(probe.times) for probe in probes)
    failed = sum(probe.failed for probe in probes)
    return Hanging(statistics.median(health), health[-1], statistics.median(verify), verify[-1], failed, load)


class Probe(threading.Thread):
    """Repeats a call on new connections; ``times`` are in ms until the answer or the timeout."""

    def __init__(self, url: str, path: str, token: str) -> None:
        super().__init__(daemon=True)
        self._url, self._token, self._client = url + path, token, Client()
        self._stopped = threading.Event()
        self.times: list[float] = []
        self.failed = 0

    def run(self) -> None:
        while not self._stopped.wait(PROBE_EVERY):
            started = time.perf_counter()
            self.failed += not self._is_answered()
            self.times.append((time.perf_counter() - started) * 1000)

    def stop(self) -> None:
        self._stopped.set()
        self.join()

    def _is_answered(self) -> bool:
        try:
            headers = {"Connection": "close"}
            return self._client.call("GET", self._url, self._token, headers=headers).status_code < 500
        except requests.RequestException:
            return False
