"""A real gunicorn that is sent the worst pictures: its memory, and its pace for everybody else."""

from __future__ import annotations

import itertools
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import psutil
import pytest
import requests
from PIL import Image

from tests.across.faults.service import Service
from tests.core.files.sent import bomb, passes
from tests.core.files.stored import avatar_of
from tests.support.clients import Tenant
from tests.support.http import send as request
from tests.support.marks import flaky, one_database
from tests.support.pictures import encoded, opened, picture
from tests.support.waiting import wait_for

pytestmark = [one_database, flaky]

# One decoder of 300 MB and what ten uploads hold in the service; nobody waits for a decoding.
MOST_GROWTH, MOST_P99 = 310_000_000, 1.0


@pytest.fixture
def service(database_url: str, tmp_path: Path) -> Iterator[Service]:
    settings = {"DATABASE_URL": database_url, "WEB_CONCURRENCY": "1", "STORAGE_PATH": str(tmp_path / "storage")}
    with Service(tmp_path, **settings) as started:
        yield started


@dataclass
class Watcher:
    """Samples the memory of a process with all of its children, and how long /health takes."""

    service: Service
    sizes: list[int] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    def __enter__(self) -> Watcher:
        self._stop = threading.Event()
        self._threads = [threading.Thread(target=each) for each in (self._weigh, self._ask)]
        for each in self._threads:
            each.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stop.set()
        for each in self._threads:
            each.join()

    def _weigh(self) -> None:
        service, processes = psutil.Process(self.service.pid), []
        for sample in itertools.count():
            # Looking for children reads every process of the machine, and a decoder starts for longer than this.
            if sample % 5 == 0:
                processes = [service, *service.children(recursive=True)]
            self.sizes.append(resident(processes))
            if self._stop.wait(0.005):
                return

    def _ask(self) -> None:
        with requests.Session() as session:
            while not self._stop.wait(0.01):
                started = time.perf_counter()
                assert session.get(f"{self.service.url}/health", timeout=60).status_code == 200
                self.seconds.append(time.perf_counter() - started)

    @property
    def growth(self) -> int:
        return max(self.sizes) - self.sizes[0]

    @property
    def p99(self) -> float:
        return sorted(self.seconds)[int(len(self.seconds) * 0.99)]


def resident(processes: list[psutil.Process]) -> int:
    size = 0
    for process in processes:
        with suppress(psutil.Error):
            size += process.memory_info().rss
    return size


def hostile() -> list[bytes]:
    """Ten, of which some are taken."""
    noise = Image.merge("RGBA", [Image.effect_noise((1000, 1000), 60)] * 4)
    white = Image.new("RGB", (8000, 5000), "white")
    return [
        bomb(30_000, 30_000),
        passes(150),
        encoded(white, compress_level=1),
        picture("JPEG", (6000, 4000), progressive=True, subsampling=0),
        encoded(Image.new("P", white.size), "GIF"),
        encoded(white, "JPEG", quality=20),
        encoded(Image.new("RGB", (2600, 2600)), "WEBP", lossless=True),
        encoded(Image.new("RGB", (16000, 2500)), "WEBP", lossless=True),
        encoded(noise, compress_level=1),
        encoded(Image.new("RGB", (40_000_000, 1)), compress_level=1),
    ]


def test_a_picture_arrives_whole_through_a_real_server(service: Service, acme: Tenant) -> None:
    path, token = avatar_of(acme.admin), acme.admin.token
    send(service, token, path, encoded(Image.merge("RGB", [Image.effect_noise((200, 200), 60)] * 3)))

    headers = {"Authorization": f"Bearer {token}"}
    whole, small = (request("GET", f"{service.url}{path}{query}", headers=headers) for query in ("", "?size=64"))

    assert (opened(whole.content).size, opened(small.content).size) == ((200, 200), (64, 64))
    assert len(whole.content) > 20_000


def test_ten_hostile_pictures_at_once_cost_little_memory_and_nobody_else_waits(service: Service, acme: Tenant) -> None:
    people = [acme.user() for _ in range(10)]
    pictures = hostile()
    send(service, acme.admin.token, avatar_of(acme.admin), picture())

    with Watcher(service) as watcher, ThreadPoolExecutor(10) as threads:
        wait_for(lambda: watcher.sizes and watcher.seconds)
        jobs = [
            threads.submit(send, service, each.token, avatar_of(each), data)
            for each, data in zip(people, pictures, strict=True)
        ]
        statuses = [each.result() for each in jobs]

    print(f"{watcher.growth / 2**20:.0f} MB, {watcher.p99 * 1000:.0f} ms of {len(watcher.seconds)}, {statuses}")
    assert set(statuses) <= {201, 400, 503}
    assert statuses[0] == 400
    assert watcher.growth < MOST_GROWTH
    assert watcher.p99 < MOST_P99
    assert service.call("GET", "/health").status == 200


def send(service: Service, token: str | None, path: str, data: bytes) -> int:
    headers = {"Authorization": f"Bearer {token}"}
    return request("POST", f"{service.url}{path}", files={"avatar": ("a.png", data)}, headers=headers).status_code
