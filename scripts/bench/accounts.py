"""Measures the response times of known and unknown accounts, the cost of a sign-in, and fifty sign-ins at once.

``python -m scripts.bench.accounts`` calls a real gunicorn on PostgreSQL over HTTP.
"""

from __future__ import annotations

import argparse
import random
import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import psutil
import urllib3
from flask import Flask
from flask_migrate import upgrade
from uuid_utils.compat import uuid7

from app import create_app
from app.accounts.onboarding.service import create_company
from app.accounts.passwords.models import PasswordResetOtp
from app.base.clock import utcnow
from app.config.environment import load_settings
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.customers.models import Customer
from app.users.service import create_user
from scripts.bench.servers import ROOT, Failed, cpu_seconds, gunicorn, postgres, wait_until
from scripts.bench.singles import answers, seconds_of

SAMPLES, LOGINS, CROWD = 200, 60, 50
ADMIN, PASSWORD = "admin@example.com", "correct horse battery staple"
# A difference below either limit does not reveal the kind of an account.
MOST_MS, MOST_SHARE = 5.0, 0.10
MOST_LOGIN, MOST_P99_MS = 1.15, 300.0
WARM_UP, LIFETIME = 20, timedelta(hours=12)
http = urllib3.PoolManager(maxsize=CROWD + 1, retries=False, timeout=30)


@dataclass
class Setting:
    """``url`` is the service's. There are enough users for every measurement, all with the same password."""

    app: Flask
    url: str
    company_id: UUID
    emails: list[str]
    customer_id: UUID
    workers: list[psutil.Process]
    used: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.used = iter(self.emails)

    def post(self, path: str, body: dict[str, Any]) -> Any:
        return http.request("POST", self.url + path, json=body)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.accounts", description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each kind of account")
    options = parser.parse_args()
    with _prepared(options.samples) as setting:
        for ask in QUESTIONS:
            print(compared(setting, ask, options.samples), flush=True)
        print(login_cost(setting), flush=True)
        print(disturbance(setting), flush=True)


@contextmanager
def _prepared(samples: int) -> Iterator[Setting]:
    with tempfile.TemporaryDirectory(prefix="identity-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's account must reach its folder inside
        with postgres(folder / "data", folder / "postgres.log") as database:
            environ = {**ENVIRONMENT, "DATABASE_URL": database.url, "JWT_SECRET": secrets.token_urlsafe(48)}
            app = create_app(load_settings(environ | {"LOG_LEVEL": "WARNING"}))
            company_id, emails, customer_id = _seeded(app, samples * len(QUESTIONS) + LOGINS + 10 * CROWD)
            with gunicorn("wsgi:app", environ, folder / "service.log") as service:
                wait_until(lambda: answers(service.url, "/health/ready"), "the service")
                yield Setting(app, service.url, company_id, emails, customer_id, service.workers())
            with app.app_context():
                db.engine.dispose()


# Limits per address would stop the run at the thirty-first login. They are the same for every account.
ENVIRONMENT = {
    "FLASK_ENV": "production",
    "INIT_TOKEN": secrets.token_urlsafe(48),
    "GUARDIAN_SERVICE_URL": "embedded",
    "REGISTRATION": "open",
    "PUBLIC_URL": "https://identity.example",
    "RATELIMIT_ENABLED": "false",
    "WEB_CONCURRENCY": "2",
}


def _seeded(app: Flask, users: int) -> tuple[UUID, list[str], UUID]:
    emails = [f"user{number}@example.com" for number in range(users)]
    with app.app_context():
        upgrade(directory=str(ROOT / "migrations"))
        password_hash = services().passwords.hash(PASSWORD)
        admin = {"email": ADMIN, "password_hash": password_hash}
        company_id = create_company(uuid7(), {"name": "bench", "is_platform": True}, admin).company.id
        with tenant(company_id), unit_of_work():
            for email in emails:
                user = create_user({"email": email, "password_hash": password_hash})
                # Every user has a code, as after a request.
                code = PasswordResetOtp(user_id=user.id, otp_code=password_hash, expires_at=utcnow() + LIFETIME)
                db.session.add(code)
            customer = Customer(name="Wile")
            db.session.add(customer)
            db.session.flush()
            return company_id, emails, customer.id


# Response times


def log_in(setting: Setting, email: str) -> None:
    _expect(setting.post("/auth/login", {"email": email, "password": "not the password"}), 401)


def request_reset(setting: Setting, email: str) -> None:
    _expect(setting.post("/users/password-reset/request", {"email": email}), 200)


def confirm_reset(setting: Setting, email: str) -> None:
    body = {"email": email, "otp_code": "123456", "new_password": PASSWORD}
    _expect(setting.post("/users/password-reset/confirm", body), 400)


def register(setting: Setting, email: str) -> None:
    body = {"email": email, "first_name": "Ada", "last_name": "King", "password1": PASSWORD, "password2": PASSWORD}
    _expect(setting.post("/auth/register", body | {"company": {"name": f"made {secrets.token_hex(8)}"}}), 202)


Ask = Callable[[Setting, str], None]
QUESTIONS: tuple[Ask, ...] = (log_in, request_reset, confirm_reset, register)


def compared(setting: Setting, ask: Ask, samples: int) -> str:
    """Compare in random order, because the worker finishes one request's jobs during the next."""
    for _ in range(WARM_UP):
        ask(setting, f"{secrets.token_hex(8)}@example.com")
    wanted = [(True, next(setting.used)) for _ in range(samples)]
    wanted += [(False, f"{secrets.token_hex(8)}@example.com") for _ in range(samples)]
    random.shuffle(wanted)
    taken: dict[bool, list[float]] = {True: [], False: []}
    for is_known, email in wanted:
        taken[is_known].append(seconds_of(lambda email=email: ask(setting, email)) * 1000)  # type: ignore[misc]
    known, unknown = (statistics.median(taken[kind]) for kind in (True, False))
    apart = abs(known - unknown)
    is_fine = apart <= MOST_MS or apart <= MOST_SHARE * max(known, unknown)
    found = f"{ask.__name__}: {known:.2f} ms for existing accounts, {unknown:.2f} ms for unknown ones"
    return f"{found}, {apart:.2f} ms apart: {_verdict(is_fine)}"


# Cost of a sign-in


def login_cost(setting: Setting) -> str:
    """Compare logins with the bare hash, interleaved. This process computes it with the service's own parameters.

    The share by CPU is valid on a busy machine too.
    """
    with setting.app.app_context():
        passwords = services().passwords
        stored = passwords.hash(PASSWORD)
        logins, hashes, hashing, before = [], [], 0.0, cpu_seconds(setting.workers)
        for _ in range(LOGINS):
            email, started = next(setting.used), time.thread_time()
            hashes.append(seconds_of(lambda: passwords.verify(stored, PASSWORD)))
            hashing += time.thread_time() - started
            logins.append(seconds_of(lambda email=email: _sign_in(setting, email)))  # type: ignore[misc]
    by_cpu = (cpu_seconds(setting.workers) - before) / hashing
    login, bare = (statistics.median(each) * 1000 for each in (logins, hashes))
    found = f"login: {login:.2f} ms, Argon2id alone {bare:.2f} ms, factor {login / bare:.2f}; by CPU {by_cpu:.2f}"
    return f"{found}: {_verdict(min(by_cpu, login / bare) <= MOST_LOGIN)}"


def _sign_in(setting: Setting, email: str) -> Any:
    answer = setting.post("/auth/login?token=body", {"email": email, "password": PASSWORD})
    return _expect(answer, 200).json()["access_token"]


# Disturbance by many sign-ins


def disturbance(setting: Setting) -> str:
    """Item reads, one after another, during repeated rounds of fifty sign-ins at once."""
    headers = {"Authorization": f"Bearer {_sign_in(setting, ADMIN)}"}
    path, ended, taken = f"{setting.url}/customers/{setting.customer_id}", threading.Event(), list[float]()
    alone = [seconds_of(lambda: _read(path, headers)) * 1000 for _ in range(SAMPLES)]

    def read() -> None:
        while not ended.is_set():
            taken.append(seconds_of(lambda: _read(path, headers)) * 1000)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with ThreadPoolExecutor(CROWD) as crowd:
            for _ in range(5):
                list(crowd.map(lambda email: _sign_in(setting, email), [next(setting.used) for _ in range(CROWD)]))
                time.sleep(0.1)
    finally:
        ended.set()
        reader.join()
    p99 = _p99(taken)
    found = f"item reads: p99 {_p99(alone):.1f} ms alone, {p99:.1f} ms beside 50 logins at once ({len(taken)} reads)"
    return f"{found}: {_verdict(p99 < MOST_P99_MS)}"


def _read(url: str, headers: dict[str, str]) -> None:
    _expect(http.request("GET", url, headers=headers), 200)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _expect(answer: Any, status: int) -> Any:
    if answer.status != status:
        raise Failed(f"{answer.status} instead of {status}: {answer.data[:300]!r}")
    return answer


def _verdict(is_fine: bool) -> str:
    return "met" if is_fine else "MISSED"


if __name__ == "__main__":
    main()
