"""Measurements by one caller alone: the start, the whole tree, the move of a large unit, and query plans."""

import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from uuid import UUID

import requests

from scripts.bench.cases import Setting, call
from scripts.bench.client import expect
from scripts.bench.rounds import Memory, memory_of
from scripts.bench.seed import COMMON, MEDIUM, RARE
from scripts.bench.servers import Gunicorn, Postgres, gunicorn, wait_until

REPEATS = 5
SEARCH = (
    "EXPLAIN SELECT id FROM customer WHERE search_text LIKE %s ESCAPE '\\'"
    " AND company_id = %s ORDER BY created_at, id LIMIT 51"
)
COUNT = "EXPLAIN SELECT count(*) FROM customer WHERE search_text LIKE %s ESCAPE '\\' AND company_id = %s"


def is_answering(url: str, path: str, token: str = "") -> bool:
    try:
        return call(url, "GET", path, token).status_code == 200
    except requests.RequestException:
        return False


def seconds_of(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def measure_start(environ: Mapping[str, str], setting: Setting, log: Path) -> dict[str, float]:
    """Seconds from the command to the first answer that needs token, engine and database."""
    token, path = setting.large.tokens[0], f"/customers/{setting.customers[0]}"
    times, memory = [], []
    for _ in range(3):
        started = time.perf_counter()
        with gunicorn("wsgi:app", environ, log) as server:
            wait_until(lambda url=server.url: is_answering(url, path, token), "the service")  # type: ignore[misc]
            times.append(time.perf_counter() - started)
            memory.append(_idle_memory(server, path, token))
    return {
        "start_to_first_answer_s": statistics.median(times),
        "idle_worker_rss_mb": statistics.median(worker.rss for worker in memory),
        "idle_worker_uss_mb": statistics.median(worker.uss for worker in memory),
    }


def _idle_memory(server: Gunicorn, path: str, token: str) -> Memory:
    """Memory after some requests, when every worker has done all its imports."""
    for _ in range(50):
        call(server.url, "GET", path, token)
    return memory_of(server.workers())


def measure_tree(service: str, setting: Setting) -> dict[str, float]:
    token = setting.large.tokens[0]
    times = [
        seconds_of(lambda: expect(call(service, "GET", "/organization_units/tree", token), 200)) for _ in range(REPEATS)
    ]
    return {"tree_of_5000_units_s": statistics.median(times)}


def measure_move(service: str, setting: Setting, server: Postgres) -> dict[str, float]:
    """Move a unit with 10,000 descendants below another unit and back, by one PATCH each."""
    top, other = _roots(server, setting.deep.company_id)
    token, path = setting.deep.tokens[0], f"/organization_units/{top}"
    targets = [other, None] * REPEATS
    times = [
        seconds_of(lambda parent=parent: expect(call(service, "PATCH", path, token, {"parent_id": parent}), 200))  # type: ignore[misc]
        for parent in targets
    ]
    return {"move_of_10000_units_s": statistics.median(times)}


def _roots(server: Postgres, company_id: UUID) -> tuple[str, str]:
    """The unit of 10,001 and the company's other root."""
    statement = """
        SELECT root.id::text FROM organization_unit AS root
        WHERE root.company_id = %(company)s AND root.level = 0
        ORDER BY EXISTS (SELECT FROM organization_unit AS child
                         WHERE child.company_id = root.company_id AND child.parent_id = root.id) DESC
    """
    with server.superuser() as connection:
        (top,), (other,) = connection.execute(statement, {"company": company_id}).fetchall()
    return top, other


def explain_searches(server: Postgres, setting: Setting) -> dict[str, str]:
    """PostgreSQL's plans of searches by the service's own role, under row-level security."""
    company_id = setting.large.company_id
    plans = {}
    with server.owner() as connection:
        connection.execute("SELECT set_config('app.company_id', %s, false)", [str(company_id)])
        for needle in (RARE, MEDIUM, COMMON, "ab"):
            for kind, statement in (("page", SEARCH), ("total", COUNT)):
                lines = connection.execute(statement, [f"%{needle}%", company_id]).fetchall()
                plans[f"{needle}, {kind}"] = _scans(lines)
    return plans


def _scans(lines: list[Any]) -> str:
    scans = [line.strip().removeprefix("->").split("  (cost")[0].strip() for (line,) in lines if "Scan" in line]
    return " ← ".join(scans)
