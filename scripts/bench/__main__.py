"""Measures the service on PostgreSQL: seeds, serves, applies load, compares with the floors, reports."""

import argparse
import os
import platform
import secrets
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from flask import Flask
from flask_migrate import upgrade

from app import create_app
from app.config.environment import load_settings
from app.core.db.models import db
from scripts.bench import cases, files, hotspots, report, seed, singles, workers
from scripts.bench.rounds import BEFORE, FULL, QUICK, Pace, Target, memory_of, note, run_rounds
from scripts.bench.servers import (
    DATABASE,
    ROOT,
    SUPERUSER,
    Failed,
    Gunicorn,
    Postgres,
    engine,
    find_program,
    gunicorn,
    postgres,
    wait_until,
)

PARTS = ("cases", "singles", "workers", "profile")


@dataclass(frozen=True)
class Run:
    """The common parameters of all parts of a run."""

    folder: Path
    environ: dict[str, str]
    database: Postgres
    setting: cases.Setting
    pace: Pace
    only: Sequence[str]
    worker_class: str | None
    before: Path | None


def main() -> None:
    options = _options()
    # A terminated run must stop its servers.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        findings = _run(options)
    except Failed as error:
        sys.exit(str(error))
    for path in options.out:
        report.write(findings, path)
    print(report.markdown(findings))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="scripts/bench/run.py", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short repeat: for development, not for a record")
    parser.add_argument(
        "--only", action="append", default=[], metavar="TEXT", help="cases whose name contains the text"
    )
    parser.add_argument("--parts", default="cases,singles,workers", help=f"any of {', '.join(PARTS)}")
    parser.add_argument("--out", action="append", default=[], type=Path, metavar="FILE", help="a .md or .json file")
    parser.add_argument("--folder", type=Path, help="keep the database and the logs there, and reuse them")
    parser.add_argument("--web-concurrency", default="2", help="worker processes of gunicorn")
    parser.add_argument("--threads", default="42", help="threads of each worker")
    parser.add_argument("--worker-class", help="for the service and the floors; default: that of gunicorn.conf.py")
    parser.add_argument("--before", type=Path, metavar="DIR", help="pair each case with that checkout of the service")
    parser.add_argument("--without-search-index", action="store_true", help="skip the superuser's script")
    return parser.parse_args()


def _run(options: argparse.Namespace) -> report.Findings:
    for program, package in (("wrk", "wrk"), ("nginx", "nginx-light"), ("psql", "postgresql-client")):
        find_program(program, package)
    findings = report.Findings(machine=_machine())
    parts = options.parts.split(",")
    with _prepare(options) as run:
        findings.machine["PostgreSQL"] = _postgres_version(run.database)
        findings.plans = singles.explain_searches(run.database, run.setting)
        if "singles" in parts:
            findings.singles |= singles.measure_start(run.environ, run.setting, run.folder / "start.log")
        if {"cases", "singles", "profile"} & set(parts):
            _serve_and_measure(run, parts, findings)
        if "workers" in parts:
            environ, pace = run.environ, run.pace
            findings.workers, findings.workers_memory = workers.compare_workers(
                environ, run.setting, run.database, run.folder, pace
            )
            findings.hanging = workers.measure_hanging(environ, run.setting, run.folder)
    return findings


@contextmanager
def _prepare(options: argparse.Namespace) -> Iterator[Run]:
    with ExitStack() as stack:
        folder = options.folder or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="identity-bench-")))
        folder = folder.absolute()
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o755)  # PostgreSQL's account must reach its folder inside
        database = stack.enter_context(postgres(folder / "data", folder / "postgres.log"))
        environ = _environ(options, database, stack.enter_context(engine(folder))) | _storage(folder)
        setting = _seed(environ, database, with_index=not options.without_search_index)
        pace = QUICK if options.quick else FULL
        yield Run(folder, environ, database, setting, pace, options.only, options.worker_class, options.before)


def _environ(options: argparse.Namespace, database: Postgres, engine_url: str) -> dict[str, str]:
    return {
        "FLASK_ENV": "production",
        "DATABASE_URL": database.url,
        "JWT_SECRET": secrets.token_urlsafe(48),
        "INIT_TOKEN": secrets.token_urlsafe(48),
        "ACCESS_TOKEN_TTL_MINUTES": "720",
        "GUARDIAN_SERVICE_URL": engine_url,
        "RATELIMIT_ENABLED": "false",
        "WEB_CONCURRENCY": options.web_concurrency,
        "THREADS": options.threads,
    }


def _storage(folder: Path) -> dict[str, str]:
    return {"STORAGE_PATH": str(folder / "storage"), "FLOOR_FILE": str(files.floor_file(folder))}


def _seed(environ: dict[str, str], database: Postgres, *, with_index: bool) -> cases.Setting:
    app = create_app(load_settings(environ | {"LOG_LEVEL": "WARNING"}))
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
    note("Seeding …")
    seed.seed(app, database)
    if with_index:
        _install_search_index(database)
    setting = _read_setting(app, database)
    with app.app_context():
        db.engine.dispose()
    return setting


def _read_setting(app: Flask, database: Postgres) -> cases.Setting:
    large, small, deep = (seed.open_tenant(app, database, name) for name in (seed.LARGE, seed.SMALL, seed.DEEP))
    return cases.read_setting(database, large, small, deep)


def _install_search_index(database: Postgres) -> None:
    where = ["-h", "127.0.0.1", "-p", str(database.port), "-U", SUPERUSER, "-d", DATABASE]
    script = ROOT / "scripts/postgres/search-index.sql"
    command = [find_program("psql", "postgresql-client"), "-q", *where, "-f", str(script)]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise Failed(f"search-index.sql failed:\n{result.stderr}")
    with database.superuser() as connection:
        connection.execute("ANALYZE")


def _serve_and_measure(run: Run, parts: Sequence[str], findings: report.Findings) -> None:
    with ExitStack() as stack:
        log, kind = run.folder / "service.log", run.worker_class
        service = stack.enter_context(gunicorn("wsgi:app", run.environ, log, kind))
        environ = run.environ | {"FLOOR_COMPANY": str(run.setting.large.company_id)}
        floor = stack.enter_context(gunicorn("scripts.bench.floor:app", environ, run.folder / "floor.log", kind))
        wait_until(lambda: singles.is_answering(service.url, "/health/live"), f"the service (see {log})")
        if "cases" in parts:
            before = stack.enter_context(_serve_before(run)) if run.before else None
            _measure_cases(run, service, floor, before, findings)
        if "singles" in parts:
            findings.singles |= singles.measure_tree(service.url, run.setting)
            findings.singles |= singles.measure_move(service.url, run.setting, run.database)
            findings.singles |= files.upload_seconds(service.url, run.setting)
        if "profile" in parts:
            _profile(run, service, findings)


@contextmanager
def _serve_before(run: Run) -> Iterator[Gunicorn]:
    """Another checkout of the service on the same database. Its schema must suit both."""
    log = run.folder / "before.log"
    with gunicorn("wsgi:app", run.environ, log, run.worker_class, run.before or ROOT) as server:
        wait_until(lambda: singles.is_answering(server.url, "/health/live"), f"the service before (see {log})")
        yield server


def _measure_cases(
    run: Run, service: Gunicorn, floor: Gunicorn, before: Gunicorn | None, findings: report.Findings
) -> None:
    """Measure reads first, on the companies as they were seeded; writes come last."""
    downloads = files.downloads(run.setting, service.url, run.folder)
    for group in (cases.reads(run.setting, service.url), downloads, cases.writes(run.setting)):
        selected = cases.select_cases(group, run.only)
        targets = {case.name: Target(floor if case.is_floor else service, case) for case in selected}
        if before is not None:
            targets |= {case.name + BEFORE: Target(before, case) for case in selected if not case.is_floor}
        findings.groups.append((selected, run_rounds(targets, run.database, run.folder, run.pace)))
    seed.delete_created(run.database, run.setting.large)
    memory = memory_of(service.workers())
    findings.singles |= {"worker_rss_after_all_cases_mb": memory.rss, "worker_uss_after_all_cases_mb": memory.uss}


def _profile(run: Run, service: Gunicorn, findings: report.Findings) -> None:
    candidates = [*cases.reads(run.setting, service.url), *cases.writes(run.setting)]
    only = run.only or ["customer, item", cases.LIST]
    for case in candidates:
        if not case.is_floor and any(text in case.name for text in only):
            findings.hotspots[case.name] = hotspots.record(service, case, run.folder, run.pace.seconds + 4)


def _machine() -> dict[str, str]:
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT, capture_output=True, text=True)
    return {
        "date": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "commit": commit.stdout.strip() or "unknown",
        "machine": f"{os.cpu_count()} CPUs, {_cpu_model()}",
        "Python": platform.python_version(),
        "load before the start": f"{os.getloadavg()[0]:.2f} (the figures hold only on an idle machine)",
    }


def _cpu_model() -> str:
    path = Path("/proc/cpuinfo")
    lines = path.read_text().splitlines() if path.exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


def _postgres_version(database: Postgres) -> str:
    with database.superuser() as connection:
        row = connection.execute("SHOW server_version").fetchone()
    return str(row[0]) if row else "unknown"


if __name__ == "__main__":
    main()
