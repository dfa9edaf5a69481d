"""Health checks: the database within the request, other dependencies in the background."""

import re
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import structlog
from sqlalchemy import select, text

from app.base.errors import ApiError, Unavailable
from app.companies.models import Company
from app.config.settings import ROOT
from app.core.db.engine import readiness_connection
from app.core.db.faults import reason_of
from app.core.db.transaction import platform_session

log = structlog.get_logger(__name__)

Check = Callable[[], None]
CHECK_EVERY_SECONDS = 5.0
FIRST_CHECK_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class CheckResult:
    healthy: bool
    message: str
    response_time_ms: float


def run_check(check: Check) -> CheckResult:
    """Time a check, which raises on a fault. The message names no host."""
    started = time.perf_counter()
    try:
        check()
        healthy, message = True, "ok"
    except ApiError as error:
        healthy, message = False, error.detail
    except Exception as error:
        healthy, message = False, f"failed ({reason_of(error)})"
    return CheckResult(healthy, message, round((time.perf_counter() - started) * 1000, 2))


def check_database() -> None:
    """Raises if the database does not answer."""
    with platform_session() as session:
        session.execute(select(Company.id).limit(1)).all()


def check_migrated() -> None:
    """Raises Unavailable unless the database is at the newest migration that this service knows."""
    with readiness_connection() as connection:
        revision = connection.scalar(CURRENT)
    if revision != newest_migration():
        raise Unavailable("The database is not migrated to this version.")


CURRENT = text("SELECT version_num FROM alembic_version")
REVISION = re.compile(r'^(down_)?revision = "(\w+)"$', re.MULTILINE)


@cache
def newest_migration() -> str:
    """The revision without a successor. Alembic could tell it, but takes 10 MB of each process."""
    texts = (path.read_text(encoding="utf-8") for path in (ROOT / "migrations" / "versions").glob("*.py"))
    names = [match.groups() for text in texts for match in REVISION.finditer(text)]
    [newest] = {name for down, name in names if not down} - {name for down, name in names if down}
    return newest


@dataclass
class HealthMonitor:
    """Checks each dependency on a thread of its own, so that a hanging one delays no other."""

    checks: dict[str, Check]
    results: dict[str, CheckResult] = field(default_factory=dict)
    _started: threading.Lock = field(default_factory=threading.Lock)

    def current(self) -> dict[str, CheckResult]:
        """The latest results, at most about 10 s old. A dependency without a result yet is not healthy."""
        if self._started.acquire(blocking=False):
            self._start()
        unknown = CheckResult(False, "not answered yet", 0.0)
        return {name: self.results.get(name, unknown) for name in self.checks}

    def _start(self) -> None:
        for name, check in self.checks.items():
            threading.Thread(target=self._watch, args=(name, check), name=f"watch-{name}", daemon=True).start()
        deadline = time.monotonic() + FIRST_CHECK_SECONDS
        while len(self.results) < len(self.checks) and time.monotonic() < deadline:
            time.sleep(0.01)

    def _watch(self, name: str, check: Check) -> None:
        while True:
            self.results[name] = run_check(check)
            time.sleep(CHECK_EVERY_SECONDS)


def is_draining(drain_file: str) -> bool:
    return bool(drain_file) and Path(drain_file).exists()
