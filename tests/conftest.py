"""Two databases, two tenants, and clients that hold every answer against the contract."""

import gc
import os
import sys
import tempfile
from collections.abc import Callable, Generator, Iterator
from contextlib import AbstractContextManager, ExitStack
from functools import partial
from pathlib import Path

import pytest
from flask import Flask

from app.system import health
from tests.support.clients import ApiClient, Tenant, with_new_token
from tests.support.databases import DIRECTORY, SOCKETS, Postgres, migrate, worker
from tests.support.engine_events import sent_statements
from tests.support.stages import Stage, Stages

DATABASES = ("sqlite", "postgresql")
LONGEST = ("across", "project")
"""Folders whose tests start fleets and servers. They run first, or one process would be left with a long file."""


def pytest_configure(config: pytest.Config) -> None:
    """The controller starts the servers; its workers find them in the environment."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    directory = Path(tempfile.mkdtemp(prefix="identity-tests-"))
    migrate(f"sqlite:///{directory / 'template.db'}")
    postgres = Postgres.start(directory / "postgres")
    os.environ |= {DIRECTORY: str(directory), SOCKETS: postgres.socket_dir}
    config.add_cleanup(postgres.stop)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None]:
    """Modules and tests stay until the end: the collector passes over them, which takes a tenth of the time."""
    gc.disable()
    yield
    gc.freeze()
    gc.enable()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=lambda item: item.nodeid.split("/")[1] not in LONGEST)


@pytest.fixture(autouse=True)
def _unbound_loggers() -> Iterator[None]:
    """An application of production keeps its loggers as they are; the next test's must listen again."""
    yield
    for name, module in sys.modules.copy().items():
        if name.startswith("app."):
            getattr(getattr(module, "log", None), "__dict__", {}).pop("bind", None)


@pytest.fixture(scope="session")
def postgres() -> Postgres:
    return Postgres(os.environ[SOCKETS])


@pytest.fixture(scope="session")
def scratch() -> Path:
    """A directory of this worker's own."""
    directory = Path(os.environ[DIRECTORY]) / worker()
    directory.mkdir(exist_ok=True)
    return directory


@pytest.fixture(scope="session")
def _stages(postgres: Postgres, scratch: Path) -> Iterator[Stages]:
    with ExitStack() as closing:
        yield Stages(postgres, scratch, closing)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "database" in metafunc.fixturenames:
        mark = metafunc.definition.get_closest_marker("databases")
        metafunc.parametrize("database", mark.args if mark else DATABASES, indirect=True, scope="session")


@pytest.fixture(scope="session")
def database(request: pytest.FixtureRequest) -> str:
    """Whatever depends on this runs on SQLite and on PostgreSQL, but for the marks of ``tests.support.marks``."""
    return str(request.param)


@pytest.fixture(scope="session")
def stage(_stages: Stages, database: str) -> Stage:
    return _stages[database]


@pytest.fixture(scope="session")
def database_url(stage: Stage) -> str:
    return stage.url


@pytest.fixture
def app(stage: Stage) -> Flask:
    """The application on a database with two companies and nothing else."""
    stage.restore()
    return stage.app


@pytest.fixture
def patient_health(monkeypatch: pytest.MonkeyPatch) -> None:
    """The first /health waits for every look, however loaded this machine is."""
    monkeypatch.setattr(health, "FIRST_CHECK_SECONDS", 30.0)


@pytest.fixture
def empty(app: Flask, stage: Stage) -> None:
    """No company at all: how a database is after its migration."""
    stage.snapshot.clear()


@pytest.fixture
def anonymous(app: Flask) -> ApiClient:
    return ApiClient(app)


@pytest.fixture
def acme(app: Flask, stage: Stage) -> Tenant:
    """The platform company."""
    return with_new_token(stage.acme)


@pytest.fixture
def globex(app: Flask, stage: Stage) -> Tenant:
    """Any other company."""
    return with_new_token(stage.globex)


@pytest.fixture
def statements(app: Flask) -> Callable[[], AbstractContextManager[list[str]]]:
    """``with statements() as sent:`` collects what is sent inside."""
    return partial(sent_statements, app)
