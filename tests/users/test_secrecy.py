"""No representation, log line or error ever contains a password or a hash."""

import io
from collections.abc import Iterator
from typing import Any
from uuid import UUID

import pytest
import structlog
from flask import Flask
from sqlalchemy import select

from app import create_app
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.users.models import User
from tests.support.clients import PASSWORD, ApiClient, Tenant
from tests.support.databases import dispose, settings_for
from tests.support.marks import one_database

pytestmark = one_database


@pytest.fixture
def log(app: Flask, database_url: str) -> Iterator[tuple[Flask, io.BytesIO]]:
    """An application that logs everything, and what it logged."""
    before = structlog.get_config()
    talkative = create_app(settings_for(database_url, LOG_LEVEL="DEBUG"))
    written = io.BytesIO()
    structlog.configure(logger_factory=structlog.BytesLoggerFactory(written))
    yield talkative, written
    structlog.configure(**before)
    dispose(talkative)


def stored_hash(company: Tenant, user_id: str) -> str:
    with company.app.app_context(), tenant(company.company_id), unit_of_work(writes=False):
        found = db.session.scalars(select(User.password_hash).where(User.id == UUID(user_id))).one()
    assert found is not None
    return found


def texts(admin: ApiClient, user: dict[str, Any]) -> list[str]:
    """The body of every kind of answer that is about a user, refusals included."""
    path, login = f"/users/{user['id']}", {"email": user["email"], "password": PASSWORD}
    answers = [
        admin.get(path),
        admin.get(f"{path}?expand=position,company"),
        admin.get("/users?search=argon2"),
        admin.get("/users"),
        admin.get("/users?sort=password_hash"),
        admin.get("/users?password_hash=x"),
        admin.get(f"/positions/{user['position_id']}?expand=users"),
        admin.get(f"/positions/{user['position_id']}/users"),
        admin.get("/users/me"),
        admin.patch(path, {"first_name": "Wile"}),
        admin.put(path, {"email": user["email"], "password": PASSWORD}),
        admin.patch(path, {"password_hash": PASSWORD}),
        admin.post("/users", login),
        admin.post("/users", login | {"first_name": "\x00"}),
        admin.post("/auth/login", login),
        admin.post("/auth/login", login | {"password": f"{PASSWORD}!"}),
        admin.post("/auth/login", login | {"username": "both"}),
        admin.patch("/users/me/change-password", {"current_password": f"{PASSWORD}?", "new_password": PASSWORD}),
    ]
    assert {answer.status_code for answer in answers} == {200, 400, 401, 409}
    return [answer.text for answer in answers]


def make_user(company: Tenant, admin: ApiClient) -> dict[str, Any]:
    [unit] = company.admin.get("/organization_units").get_json()["data"]
    position = admin.create("/positions", {"title": "Lead", "organization_unit_id": unit["id"]})
    values = {"email": "wile@example.com", "password": PASSWORD, "position_id": position["id"]}
    return admin.create("/users", values)


def test_no_answer_and_no_log_line_has_a_password_or_hash(acme: Tenant, log: tuple[Flask, io.BytesIO]) -> None:
    talkative, written = log
    admin = ApiClient(talkative, acme.admin.token)
    user = make_user(acme, admin)

    shown = "\n".join([str(user), *texts(admin, user)])

    logged = written.getvalue().decode()
    digest = stored_hash(acme, user["id"]).rpartition("$")[2]
    assert logged.count('"event":"request"') >= 18
    for text in (shown, logged):
        assert PASSWORD not in text
        assert digest not in text
        assert "$argon2" not in text
    assert "wile@example.com" not in logged
    assert str(acme.admin.token) not in logged


def test_hash_is_no_field_filter_order_or_search_text(acme: Tenant) -> None:
    user = acme.user()

    found = acme.admin.get("/users?search=argon2").get_json()["data"]

    assert found == []
    assert not [name for name in acme.admin.get(f"/users/{user.user_id}").get_json() if "hash" in name]
    assert acme.admin.get("/users?sort=password_hash").status_code == 400
    assert acme.admin.get("/users?password_hash=x").status_code == 400
