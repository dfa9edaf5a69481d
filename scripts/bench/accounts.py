"""Measures the response times of known and unknown accounts, the cost of a sign-in, and fifty sign-ins at once.

``python -m scripts.bench.accounts`` calls a real gunicorn on PostgreSQL over HTTP.
"""

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
import requests
from flask import Flask
from flask_migrate import upgrade
from uuid_utils.compat import uuid7

from app import create_app
from app.accounts.onboarding.service import create_company
from app.accounts.passwords.codes import PasswordResetOtp
from app.base.clock import utcnow
from app.config.environment import load_settings
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.customers.models import Customer
from app.users.service import create_user
from scripts.bench.client import Client, expect
from scripts.bench.servers import ROOT, cpu_seconds, gunicorn, postgres, wait_until
from scripts.bench.singles import is_answering, seconds_of

SAMPLES, LOGINS, CROWD = 200, 60, 50
ADMIN, PASSWORD = "admin@example.com", "correct horse battery staple"
# A difference below either limit does not reveal the kind of an account.
MOST_MS, MOST_SHARE = 5.0, 0.10
MOST_LOGIN, MOST_P99_MS = 1.15, 300.0
WARM_UP, LIFETIME = 20, timedelta(hours=12)
client = Client(CROWD + 1)


@dataclass
class Setting:
    """``url`` is the service's. There are enough users for every measurement, all with the same password."""

    app: Flask
    url: str
    company_id: UUID
    emails: list[str]
    customer_id: UUID
    workers: list[psutil.Process]
    unused_emails: Iterator[str] = field(init=False)

    def __post_init__(self) -> None:
        self.unused_emails = iter(self.emails)

    def post(self, path: str, body: dict[str, Any], status: int) -> requests.Response:
        """Raises Failed for another status."""
        return expect(client.call("POST", self.url + path, json=body), status)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m scripts.bench.accounts", description=__doc__)
    parser.add_argument("--samples", type=int, default=SAMPLES, help="of each kind of account")
    options = parser.parse_args()
    with _prepare(options.samples) as setting:
        for call in CALLS:
            print(compare_accounts(setting, call, options.samples), flush=True)
        print(compare_login(setting), flush=True)
        print(disturb_reads(setting), flush=True)


@contextmanager
def _prepare(samples: int) -> Iterator[Setting]:
    with tempfile.TemporaryDirectory(prefix="identity-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # PostgreSQL's account must reach its folder inside
        with postgres(folder / "data", folder / "postgres.log") as database:
            environ = {**ENVIRONMENT, "DATABASE_URL": database.url, "JWT_SECRET": secrets.token_urlsafe(48)}
            app = create_app(load_settings(environ | {"LOG_LEVEL": "WARNING"}))
            company_id, emails, customer_id = _seed(app, samples * len(CALLS) + LOGINS + 10 * CROWD)
            with gunicorn("wsgi:app", environ, folder / "service.log") as service:
                wait_until(lambda: is_answering(service.url, "/health/ready"), "the service")
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


def _seed(app: Flask, users: int) -> tuple[UUID, list[str], UUID]:
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
    setting.post("/auth/login", {"email": email, "password": "not the password"}, 401)


def request_reset(setting: Setting, email: str) -> None:
    setting.post("/users/password-reset/request", {"email": email}, 200)


def confirm_reset(setting: Setting, email: str) -> None:
    body = {"email": email, "otp_code": "123456", "new_password": PASSWORD}
    setting.post("/users/password-reset/confirm", body, 400)


def register(setting: Setting, email: str) -> None:
    body = {"email": email, "first_name": "Ada", "last_name": "King", "password1": PASSWORD, "password2": PASSWORD}
    setting.post("/auth/register", body | {"company": {"name": f"company {secrets.token_hex(8)}"}}, 202)


Call = Callable[[Setting, str], None]
CALLS: tuple[Call, ...] = (log_in, request_reset, confirm_reset, register)


def compare_accounts(setting: Setting, call: Call, samples: int) -> str:
    """Compare in random order, because the worker finishes one request's jobs during the next."""
    for _ in range(WARM_UP):
        call(setting, f"{secrets.token_hex(8)}@example.com")
    accounts = [(True, next(setting.unused_emails)) for _ in range(samples)]
    accounts += [(False, f"{secrets.token_hex(8)}@example.com") for _ in range(samples)]
    random.shuffle(accounts)
    times: dict[bool, list[float]] = {True: [], False: []}
    for is_known, email in accounts:
        times[is_known].append(seconds_of(lambda email=email: call(setting, email)) * 1000)  # type: ignore[misc]
    known, unknown = (statistics.median(times[kind]) for kind in (True, False))
    difference = abs(known - unknown)
    is_met = difference <= MOST_MS or difference <= MOST_SHARE * max(known, unknown)
    result = f"{call.__name__}: {known:.2f} ms for existing accounts, {unknown:.2f} ms for unknown ones"
    return f"{result}, {difference:.2f} ms apart: {_verdict(is_met)}"


# Cost of a sign-in


def compare_login(setting: Setting) -> str:
    """Compare logins with the bare hash, interleaved. This process computes it with the service's own parameters.

    The share by CPU is valid on a busy machine too.
    """
    with setting.app.app_context():
        passwords = services().passwords
        password_hash = passwords.hash(PASSWORD)
        logins, hashes, hashing, before = [], [], 0.0, cpu_seconds(setting.workers)
        for _ in range(LOGINS):
            email, started = next(setting.unused_emails), time.thread_time()
            hashes.append(seconds_of(lambda: passwords.verify(password_hash, PASSWORD)))
            hashing += time.thread_time() - started
            logins.append(seconds_of(lambda email=email: _sign_in(setting, email)))  # type: ignore[misc]
    by_cpu = (cpu_seconds(setting.workers) - before) / hashing
    login, bare = (statistics.median(times) * 1000 for times in (logins, hashes))
    result = f"login: {login:.2f} ms, Argon2id alone {bare:.2f} ms, factor {login / bare:.2f}; by CPU {by_cpu:.2f}"
    return f"{result}: {_verdict(min(by_cpu, login / bare) <= MOST_LOGIN)}"


def _sign_in(setting: Setting, email: str) -> Any:
    return setting.post("/auth/login?token=body", {"email": email, "password": PASSWORD}, 200).json()["access_token"]


# Disturbance by many sign-ins


def disturb_reads(setting: Setting) -> str:
    """Item reads, one after another, during repeated rounds of fifty sign-ins at once."""
    token, url = _sign_in(setting, ADMIN), f"{setting.url}/customers/{setting.customer_id}"
    ended, times = threading.Event(), list[float]()
    alone = [seconds_of(lambda: _read(url, token)) * 1000 for _ in range(SAMPLES)]

    def read() -> None:
        while not ended.is_set():
            times.append(seconds_of(lambda: _read(url, token)) * 1000)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with ThreadPoolExecutor(CROWD) as crowd:
            for _ in range(5):
                emails = [next(setting.unused_emails) for _ in range(CROWD)]
                list(crowd.map(lambda email: _sign_in(setting, email), emails))
                time.sleep(0.1)
    finally:
        ended.set()
        reader.join()
    p99 = _p99(times)
    result = f"item reads: p99 {_p99(alone):.1f} ms alone, {p99:.1f} ms beside 50 logins at once ({len(times)} reads)"
    return f"{result}: {_verdict(p99 < MOST_P99_MS)}"


def _read(url: str, token: str) -> None:
    expect(client.call("GET", url, token), 200)


def _p99(values: list[float]) -> float:
    return sorted(values)[int(len(values) * 0.99)]


def _verdict(is_met: bool) -> str:
    return "met" if is_met else "MISSED"


if __name__ == "__main__":
    main()
