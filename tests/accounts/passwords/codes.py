"""Short ways to a mailed code and to the rows behind it."""

import re
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from flask import Flask
from sqlalchemy import select, update
from uuid_utils.compat import uuid7

from app.accounts.passwords.codes import PasswordResetOtp, budget_of, new_code, secrets_of, store_code
from app.base.clock import utcnow
from app.core.db.models import db
from app.core.db.tenancy import tenant
from app.core.db.transaction import unit_of_work
from app.core.jobs.outbox import Job
from app.core.services import services
from tests.support.clients import ApiClient
from tests.support.mailbox import Mailbox, text_of

REQUEST, CONFIRM = "/users/password-reset/request", "/users/password-reset/confirm"
NEW = "Tr0ubadour & harmonium"
REFUSED = (400, "Invalid or expired OTP code")


def ask(app: Flask, email: Any, **options: Any) -> Any:
    return ApiClient(app).post(REQUEST, {"email": email}, **options)


def confirm(app: Flask, email: str, code: Any, new: Any = NEW, *, may_crash: bool = False) -> Any:
    return ApiClient(app, may_crash=may_crash).post(CONFIRM, {"email": email, "otp_code": code, "new_password": new})


def refusal(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.get_json()["message"]


def code_in(text: str) -> str:
    """Alone in its paragraph."""
    [found] = re.findall(r"^(\d{6})$", text, re.MULTILINE)
    return str(found)


def mailed_code(mailbox: Mailbox, person: ApiClient) -> str:
    assert ask(mailbox.app, person.email).status_code == 200
    return code_in(text_of(mailbox.one()))


def given_code(person: ApiClient, *, instead_of: PasswordResetOtp | None = None) -> str:
    """As the worker makes one, without the mail; ``instead_of`` that of an earlier attempt to mail it."""
    code, user_id, company_id = new_code(), UUID(person.user_id), UUID(person.company_id)
    id, created_at = (instead_of.id, instead_of.created_at) if instead_of else (uuid7(), utcnow())
    job = Job(id=id, kind="mail.password_reset", payload={}, created_at=created_at)
    with person.app.app_context():
        hashed = services().passwords.hash(secrets_of(user_id, code)[0])
        with tenant(company_id), unit_of_work():
            assert store_code(job, user_id, budget_of(user_id, "127.0.0.1"), hashed)
    return code


def another(code: str) -> str:
    return f"{(int(code) + 1) % 10**6:06}"


def rows(person: ApiClient) -> list[PasswordResetOtp]:
    wanted = select(PasswordResetOtp).where(PasswordResetOtp.user_id == UUID(person.user_id))
    with person.app.app_context(), tenant(UUID(person.company_id)), unit_of_work(writes=False):
        return list(db.session.scalars(wanted.order_by(PasswordResetOtp.created_at)))


def live(person: ApiClient) -> list[PasswordResetOtp]:
    now = utcnow()
    return [row for row in rows(person) if row.used_at is None and row.expires_at > now]


def pass_time(person: ApiClient, by: timedelta) -> None:
    """For the person's codes and what they did."""
    for row in rows(person):
        values = {"created_at": row.created_at - by, "expires_at": row.expires_at - by}
        statement = update(PasswordResetOtp).where(PasswordResetOtp.id == row.id).values(values)
        with person.app.app_context(), tenant(UUID(person.company_id)), unit_of_work():
            db.session.execute(statement.execution_options(synchronize_session=False))


def ago(**spans: float) -> datetime:
    return utcnow() - timedelta(**spans)
