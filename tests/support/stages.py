"""The databases of one worker, each opened once, whatever the order in which tests ask for them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from shutil import rmtree
from typing import Any, TypeVar

from flask import Flask

from app import create_app
from tests.support.clients import Tenant, make_tenant
from tests.support.databases import TEMPLATE, Postgres, copy_sqlite, dispose, settings_for, worker
from tests.support.snapshots import PostgresSnapshot, Snapshot, SqliteSnapshot

Service = TypeVar("Service")


@dataclass
class Stage:
    """A database with two companies in it, and the application on it. ``folder`` is for what runs on it."""

    folder: Path
    url: str
    app: Flask
    acme: Tenant
    globex: Tenant
    snapshot: Snapshot
    closing: ExitStack
    _shared: dict[Callable[..., Any], Any] = field(default_factory=dict)

    def restore(self) -> None:
        """Bring back the two companies with nothing but what they were founded with, in storage too."""
        self.snapshot.restore()
        for company in (self.acme, self.globex):
            rmtree(
                Path(self.app.extensions["identity"].settings.storage_path) / str(company.company_id),
                ignore_errors=True,
            )

    def share(self, start: Callable[[Stage], AbstractContextManager[Service]]) -> Service:
        """The service that ``start`` starts on this database, once per run."""
        if start not in self._shared:
            self._shared[start] = self.closing.enter_context(start(self))
        service: Service = self._shared[start]
        return service


class Stages:
    """``stages["sqlite"]``, ``stages["postgresql"]``. ``scratch`` is a directory of the worker's own."""

    def __init__(self, postgres: Postgres, scratch: Path, closing: ExitStack) -> None:
        self._postgres, self._scratch, self._closing = postgres, scratch, closing
        self._opened: dict[str, Stage] = {}

    def __getitem__(self, database: str) -> Stage:
        if database not in self._opened:
            self._opened[database] = self._open(database)
        return self._opened[database]

    def _open(self, database: str) -> Stage:
        folder = self._scratch / database
        folder.mkdir(exist_ok=True)
        url = self._sqlite() if database == "sqlite" else self._postgresql()
        app = create_app(settings_for(url))
        self._closing.callback(dispose, app)
        acme, globex = make_tenant(app, "acme", is_platform=True), make_tenant(app, "globex")
        snapshot = self._snapshot(app, database)
        self._closing.callback(snapshot.close)
        return Stage(folder, url, app, acme, globex, snapshot, self._closing)

    def _sqlite(self) -> str:
        return copy_sqlite(self._scratch / "identity.db")

    def _postgresql(self) -> str:
        name = f"identity_{worker()}"
        self._postgres.create(name, TEMPLATE)
        return self._postgres.url(name)

    def _snapshot(self, app: Flask, database: str) -> Snapshot:
        if database == "sqlite":
            return SqliteSnapshot(app, self._scratch / "identity.db")
        return PostgresSnapshot(self._postgres, f"identity_{worker()}")
