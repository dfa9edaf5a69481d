"""A browser that keeps cookies, and short ways to the rows behind it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from http.cookies import Morsel, SimpleCookie
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import Executable, select
from werkzeug.test import Client, TestResponse

from app.accounts.auth.models import AuthSession
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.users.models import User
from tests.support import contract
from tests.support.clients import PASSWORD, ApiClient, Tenant

Cookies = dict[str, "Morsel[str]"]


@dataclass
class Browser(ApiClient):
    """Keeps cookies; ``address`` is where its requests come from."""

    address: str = "127.0.0.1"

    def __post_init__(self) -> None:
        self.client: Client = self.app.test_client()

    def request(self, method: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        headers = {**self.headers, **options.pop("headers", {})}
        options["environ_overrides"] = {"REMOTE_ADDR": self.address}
        answer = self.client.open(path, method=method, json=json, headers=headers, **options)
        if method != "OPTIONS":
            contract.check(self.app, method, answer)
        return answer

    def log_in(self, email: str, password: str = PASSWORD, **options: Any) -> TestResponse:
        return self.post("/auth/login", {"email": email, "password": password}, **options)

    def cookie(self, name: str) -> str | None:
        found = self.client.get_cookie(name)
        return found.value if found else None

    def keep(self, name: str, value: str) -> None:
        self.client.set_cookie(name, value)


def signed_in(app: Flask, person: ApiClient, **options: Any) -> Browser:
    found = Browser(app, **options)
    assert found.log_in(person.email).status_code == 200
    return found


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def set_cookies(answer: TestResponse) -> Cookies:
    """The cookies that an answer sets, with their attributes."""
    found: Cookies = {}
    for line in answer.headers.getlist("Set-Cookie"):
        found.update(SimpleCookie(line))
    return found


def fetch(app: Flask, company: Tenant | str, statement: Any) -> Any:
    """One row, read as the company."""
    with app.app_context(), tenant(_id(company)), unit_of_work(writes=False):
        return db.session.execute(statement).one()


def execute(app: Flask, company: Tenant | str, statement: Executable) -> None:
    """Change rows as the company: this is how the tests move the clock."""
    with app.app_context(), tenant(_id(company)), unit_of_work():
        db.session.execute(statement, execution_options={"synchronize_session": False})


def current_session(caller: ApiClient) -> dict[str, Any]:
    listed = caller.get("/auth/sessions").get_json()["data"]
    found: dict[str, Any] = next(each for each in listed if each["is_current"])
    return found


def session_row(app: Flask, company: Tenant | str, id: str) -> AuthSession:
    found: AuthSession = fetch(app, company, select(AuthSession).where(AuthSession.id == UUID(id)))[0]
    return found


def user_row(app: Flask, person: ApiClient) -> User:
    found: User = fetch(app, person.company_id, select(User).where(User.id == UUID(person.user_id)))[0]
    return found


def now() -> datetime:
    return datetime.now(UTC)


def _id(company: Tenant | str) -> UUID:
    return UUID(company) if isinstance(company, str) else company.company_id
