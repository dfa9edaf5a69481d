"""Clients that speak as somebody, and the two tenants that every test has."""

import itertools
from dataclasses import dataclass, field, replace
from typing import Any
from uuid import UUID

import jwt
from flask import Flask
from sqlalchemy import select
from uuid_utils.compat import uuid7
from werkzeug.test import TestResponse

from app.accounts.auth.sessions import ClientInfo, open_session
from app.accounts.onboarding.service import create_company
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.services import services
from app.guardian.models import Role, UserRole
from app.users.service import create_user
from tests.support import contract

PASSWORD = "correct horse battery staple"
_numbers = itertools.count(1)


def unique(stem: str) -> str:
    return f"{stem}{next(_numbers)}"


@dataclass
class ApiClient:
    """Requests as one user, by bearer token, or as nobody. Every answer is checked against openapi.yml.

    With ``may_crash``, a 500 is no fault: the test breaks something on purpose.
    """

    app: Flask
    token: str | None = None
    user_id: str = ""
    company_id: str = ""
    email: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    may_crash: bool = False

    def request(self, method: str, path: str, json: Any = None, **options: Any) -> TestResponse:
        headers = {**self.headers, **options.pop("headers", {})}
        if self.token:
            headers.setdefault("Authorization", f"Bearer {self.token}")
        client = self.app.test_client(use_cookies=False)
        # A file that is answered would stay open until somebody reads it to the end.
        options.setdefault("buffered", True)
        answer = client.open(path, method=method, json=json, headers=headers, **options)
        # The client encodes a large form into a file and leaves it open.
        answer.request.input_stream.close()
        if not (self.may_crash and answer.status_code == 500):
            contract.check(self.app, method, answer)
        return answer

    def get(self, path: str, **options: Any) -> TestResponse:
        return self.request("GET", path, **options)

    def post(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.request("POST", path, json, **options)

    def put(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.request("PUT", path, json, **options)

    def patch(self, path: str, json: Any = None, **options: Any) -> TestResponse:
        return self.request("PATCH", path, json, **options)

    def delete(self, path: str, **options: Any) -> TestResponse:
        return self.request("DELETE", path, **options)

    def create(self, path: str, json: Any) -> dict[str, Any]:
        """The row that a POST made; fails the test if it made none."""
        answer = self.post(path, json)
        assert answer.status_code == 201, answer.text
        found: dict[str, Any] = answer.get_json()
        return found


@dataclass
class Tenant:
    """A company with its administrator. ``user()`` adds more people."""

    app: Flask
    company_id: UUID
    admin: ApiClient

    def user(self, role: str | None = None, **values: Any) -> ApiClient:
        """Somebody new with a default role by its code (manager, viewer, customer, administrator) or none."""
        values = {"email": f"{unique('user')}@example.com"} | values
        with self.app.app_context():
            password_hash = services().passwords.hash(PASSWORD)
            with tenant(self.company_id), unit_of_work():
                user = create_user(values | {"password_hash": password_hash})
                if role is not None:
                    role_id = db.session.scalars(select(Role.id).where(Role.code == role)).one()
                    db.session.add(UserRole(user_id=user.id, role_id=role_id))
        return sign_in(self.app, self.company_id, user.id, user.email)


def sign_in(app: Flask, company_id: UUID, user_id: UUID, email: str) -> ApiClient:
    """A session without the cost of a password."""
    with app.app_context(), tenant(company_id), unit_of_work():
        signed_in = open_session(user_id, ClientInfo("127.0.0.1", "tests"))
    return ApiClient(app, signed_in.access_token, str(user_id), str(company_id), email)


def make_tenant(app: Flask, name: str, *, is_platform: bool = False) -> Tenant:
    with app.app_context():
        password_hash = services().passwords.hash(PASSWORD)
        user = {"email": f"admin@{name}.example", "first_name": "Ada", "password_hash": password_hash}
        founded = create_company(uuid7(), {"name": name, "is_platform": is_platform}, user)
        company_id, admin = founded.company.id, founded.user
    return Tenant(app, company_id, sign_in(app, company_id, admin.id, admin.email))


def with_new_token(company: Tenant) -> Tenant:
    """The same company; its administrator's session goes on with an access token of this moment."""
    admin = company.admin
    session_id = UUID(jwt.decode(str(admin.token), options={"verify_signature": False})["sid"])
    with company.app.app_context():
        token = services().tokens.sign(UUID(admin.user_id), company.company_id, session_id, admin.email)
    return Tenant(company.app, company.company_id, replace(admin, token=token, headers={}))
