"""Storages of every kind, each of them real."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from app.clients.storage.interface import Storage
from tests.core.files.storages import made
from tests.fakes.storage import FakeStorage
from tests.support.moto import BUCKET, s3_server
from tests.support.variants import variant

__all__ = ["variant"]
BACKENDS = ("local", "s3", "service")
Environ = dict[str, str]


@pytest.fixture(scope="session")
def s3() -> Iterator[str]:
    with s3_server() as url:
        yield url


@pytest.fixture
def fake() -> Iterator[FakeStorage]:
    with FakeStorage() as found:
        yield found


@pytest.fixture
def environ_of(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[str], Environ]:
    """The settings of a backend with nothing in it."""

    def environ(backend: str) -> Environ:
        found = {"STORAGE_BACKEND": backend, "STORAGE_REQUEST_TIMEOUT": "30"}
        if backend == "local":
            return found | {"STORAGE_PATH": str(tmp_path / "storage")}
        if backend == "s3":
            url = request.getfixturevalue("s3")
            return found | {"S3_ENDPOINT_URL": url, "STORAGE_URL": f"s3://{BUCKET}/{tmp_path.name}"}
        fake: FakeStorage = request.getfixturevalue("fake")
        return found | {"STORAGE_SERVICE_URL": fake.url}

    return environ


@pytest.fixture(params=BACKENDS)
def storage(request: pytest.FixtureRequest, environ_of: Callable[[str], Environ]) -> Storage:
    return made(environ_of(request.param))
