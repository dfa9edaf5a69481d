"""Health: the database asked live, everything else by a look in the background."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import select, text

from app.base.errors import ApiError, Unavailable
from app.companies.models import Company
from app.config.settings import ROOT
from app.core.db.transaction import platform_session

log = structlog.get_logger(__name__)

Look = Callable[[], None]
LOOK_EVERY_SECONDS = 5.0
FIRST_LOOK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Finding:
    healthy: bool
    message: str
    response_time_ms: float

    def shown(self) -> dict[str, Any]:
        return {
            "healthy": self.healthy,
            "message": self.message,
            "response_time_ms": self.response_time_ms,
        }


def look(check: Look) -> Finding:
    """Time a check that raises when something is wrong. The message names no host."""
    started = time.perf_counter()
    try:
        check()
        healthy, message = True, "ok"
    except ApiError as error:
        healthy, message = False, error.detail
    except Exception as error:
        healthy, message = False, f"failed ({type(error).__name__})"
    return Finding(healthy, message, round((time.perf_counter() - started) * 1000, 2))


def check_database() -> None:
    """The database answers."""
    with platform_session() as session:
        session.execute(select(Company.id).limit(1)).all()


def check_migrated() -> None:
    """Raises Unavailable unless the database is at the newest migration that this service knows."""
    with platform_session() as session:
        found = session.scalar(CURRENT, execution_options={"unguarded": "the version of the schema"})
    if found != newest_migration():
        raise Unavailable("The database is not migrated to this version.")


CURRENT = text("SELECT version_num FROM alembic_version")


REVISION = re.compile(r'^(down_)?revision = "(\w+)"$', re.MULTILINE)


@cache
def newest_migration() -> str:
    """The revision that no other one follows. Alembic would say the same, and take 10 MB of every process."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "migrations" / "versions").glob("*.py"))
    names = [found.groups() for text in texts for found in REVISION.finditer(text)]
    [newest] = {name for down, name in names if not down} - {name for down, name in names if down}
    return newest


@dataclass
class Watch:
    """Looks at each dependency on a thread of its own, so that one that hangs delays nobody."""

    looks: dict[str, Look]
    findings: dict[str, Finding] = field(default_factory=dict)
    _started: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> dict[str, Finding]:
        """At most about 10 s old; before the first look is back, a dependency counts as not healthy."""
        if self._started.acquire(blocking=False):
            self._start()
        unknown = Finding(False, "not answered yet", 0.0)
        return {name: self.findings.get(name, unknown) for name in self.looks}

    def _start(self) -> None:
        for name, check in self.looks.items():
            threading.Thread(target=self._watch, args=(name, check), name=f"watch-{name}", daemon=True).start()
        deadline = time.monotonic() + FIRST_LOOK_SECONDS
        while len(self.findings) < len(self.looks) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _watch(self, name: str, check: Look) -> None:
        while True:
            self.findings[name] = look(check)
            time.sleep(LOOK_EVERY_SECONDS)


def is_draining(drain_file: str) -> bool:
    return bool(drain_file) and Path(drain_file).exists()
