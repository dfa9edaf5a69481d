"""Two databases, two tenants, and clients that hold every answer against the contract."""

from __future__ import annotations

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from flask import Flask
from sqlalchemy import event

from app import create_app
from app.core.db.models import db
from tests.support.clients import ApiClient, Tenant, make_tenant
from tests.support.databases import (
    TEMPLATE,
    Postgres,
    copy_sqlite,
    empty_sqlite,
    migrate,
    settings_for,
    worker,
)

DATABASES = ("sqlite", "postgresql")
DIRECTORY, SOCKETS = "IDENTITY_TESTS_DIRECTORY", "IDENTITY_TESTS_SOCKETS"


def pytest_configure(config: pytest.Config) -> None:
    """The controller starts the servers; its workers find them in the environment."""
    if hasattr(config, "workerinput") or config.option.collectonly:
        return
    directory = Path(tempfile.mkdtemp(prefix="identity-tests-"))
    migrate(f"sqlite:///{directory / 'template.db'}")
    postgres = Postgres.start(directory / "postgres")
    os.environ |= {DIRECTORY: str(directory), SOCKETS: postgres.socket_dir}
    config.add_cleanup(postgres.stop)


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
    found = Path(os.environ[DIRECTORY]) / worker()
    found.mkdir(exist_ok=True)
    return found


@pytest.fixture(scope="session", params=DATABASES)
def database(request: pytest.FixtureRequest) -> str:
    """Whatever depends on this runs on SQLite and on PostgreSQL."""
    return str(request.param)


@pytest.fixture(scope="session")
def database_url(database: str, postgres: Postgres, scratch: Path) -> str:
    if database == "sqlite":
        return copy_sqlite(Path(os.environ[DIRECTORY]) / "template.db", scratch / "identity.db")
    name = f"identity_{worker()}"
    postgres.create(name, TEMPLATE)
    return postgres.url(name)


@pytest.fixture(scope="session")
def _app(database_url: str) -> Iterator[Flask]:
    app = create_app(settings_for(database_url))
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def app(_app: Flask, database: str, postgres: Postgres) -> Flask:
    """The application on an empty, migrated database."""
    if database == "sqlite":
        empty_sqlite(_app)
    else:
        postgres.empty(f"identity_{worker()}")
    return _app


@pytest.fixture
def anonymous(app: Flask) -> ApiClient:
    return ApiClient(app)


@pytest.fixture
def acme(app: Flask) -> Tenant:
    """The platform company."""
    return make_tenant(app, "acme", is_platform=True)


@pytest.fixture
def globex(app: Flask, acme: Tenant) -> Tenant:
    """Any other company."""
    return make_tenant(app, "globex")


class Statements(list[str]):
    """The statements sent while counting; BEGIN, COMMIT and set_config are not among them."""


@pytest.fixture
def statements(app: Flask):  # type: ignore[no-untyped-def]
    """``with statements() as sent:`` collects what is sent inside."""

    @contextmanager
    def counting() -> Iterator[Statements]:
        sent = Statements()

        def note(_connection, _cursor, statement, *_rest):  # type: ignore[no-untyped-def]
            if not statement.startswith("BEGIN"):
                sent.append(statement)

        with app.app_context():
            engine = db.engine
        event.listen(engine, "before_cursor_execute", note)
        try:
            yield sent
        finally:
            event.remove(engine, "before_cursor_execute", note)

    return counting
