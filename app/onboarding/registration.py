"""Public sign-up. The request only writes down what is wished for, the same for a known and an unknown address."""

from __future__ import annotations

import json
from typing import Any, NamedTuple
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.auth.throttle import reserve_daily
from app.companies.models import ACTIVE, Company
from app.core.db import db, fold, platform_session, unit_of_work
from app.core.errors import Conflict, Forbidden, Invalid, violated
from app.core.kernel import kernel
from app.core.mail import post
from app.core.outbox import Job, enqueue, finish
from app.core.roles import CUSTOMER
from app.core.sealed import seal, unseal
from app.core.tenancy import tenant
from app.onboarding.models import Registration
from app.onboarding.service import found_here
from app.onboarding.verification import await_verification, discard, pending
from app.users.models import User
from app.users.service import create_user, login_of

log = structlog.get_logger(__name__)

REGISTER = "onboarding.register"


class RegistrationClosed(Forbidden):
    code, message = "REGISTRATION_CLOSED", "Registration is closed."


class Wish(NamedTuple):
    """``founds`` is the name of a new company, or None for a customer of one that there is. The ids are drawn when
    it is written down: of two wishes the later one has the greater."""

    user_id: UUID
    company_id: UUID
    founds: str | None
    user: dict[str, Any]
    ip: str | None


def ask_to_register(values: dict[str, Any], ip: str | None) -> None:
    """Raises RegistrationClosed, Invalid, and Conflict for the name of a company."""
    founds = values.get("company", {}).get("name")
    company_id = uuid7() if founds else values["company_id"]
    _check_open(company_id, founds)
    user = {name: value for name, value in values.items() if name in COLUMNS}
    user["password_hash"] = kernel().passwords.hash(_password(values))
    if founds and _is_taken(founds):
        raise Conflict("company.name: Already in use.", errors={"company": {"name": ["Already in use."]}})
    wish = Wish(uuid7(), company_id, founds, user, ip)
    with unit_of_work():
        enqueue(REGISTER, {"wish": seal(REGISTER, json.dumps(wish, default=str))})


COLUMNS = ("email", "first_name", "last_name", "phone_number", "language")


def _password(values: dict[str, Any]) -> str:
    """Raises Invalid."""
    password: str = values["password1"]
    kernel().passwords.check_acceptable(password, values["email"], "password1")
    if password != values["password2"]:
        raise Invalid.field("password2", "Must be the same as password1.")
    return password


def _check_open(company_id: UUID, founds: str | None) -> None:
    """Raises RegistrationClosed, for an unknown company as for a closed one."""
    if founds:
        if kernel().settings.registration != "open":
            raise RegistrationClosed()
        return
    with tenant(company_id), unit_of_work(writes=False):
        _check_takes_customers()


def _check_takes_customers() -> None:
    """The bound company. Raises RegistrationClosed."""
    wanted = (Company.status == ACTIVE, Company.customer_registration == "open")
    if db.session.scalar(select(Company.id).where(*wanted)) is None:
        raise RegistrationClosed()


def _is_taken(name: str) -> bool:
    with platform_session() as session:
        return session.scalar(select(Company.id).where(Company.name_key == fold(name))) is not None


def register(job: Job) -> None:
    """The handler of ``REGISTER``. Whoever has the address is told by mail; an earlier registration that waits for
    its verification gives way."""
    wish = _opened(job)
    if not job.attempts and not reserve_daily(f"register {fold(wish.user['email'])}", wish.ip):
        log.info("registration_ignored", reason="too many for this address", job_id=job.id)
        return
    with unit_of_work(writes=False):
        owner = login_of(wish.user["email"])
    if owner is not None and not _gives_way(*owner, wish, job):
        return
    try:
        _create(wish, job)
    except RegistrationClosed:
        _tell_failure(wish, job, "closed")
    except IntegrityError as error:
        if "name_key" not in violated(error)[1]:
            # The address was taken at this moment: the next attempt sees by whom.
            raise
        _tell_failure(wish, job, "name")


def _opened(job: Job) -> Wish:
    user_id, company_id, *rest = json.loads(unseal(REGISTER, job.payload["wish"]))
    return Wish(UUID(user_id), UUID(company_id), *rest)


def _gives_way(company_id: UUID, user_id: UUID, wish: Wish, job: Job) -> bool:
    """Whether the address is free now. A wish that comes after a later one is void."""
    with tenant(company_id), unit_of_work():
        which = Registration.user_id == user_id
        if pending(which) is None:
            finish(job)
            post("already_registered", {"user_id": str(user_id)})
            return False
        is_later = user_id < wish.user_id
        if is_later:
            discard(which)
        return is_later


def _create(wish: Wish, job: Job) -> None:
    with tenant(wish.company_id), unit_of_work():
        finish(job)
        user = _founder(wish) if wish.founds else _customer(wish)
        kept = {"password_hash": wish.user["password_hash"], "founded_company": bool(wish.founds)}
        await_verification(Registration(id=uuid7(), user_id=user.id, **kept), user)


def _founder(wish: Wish) -> User:
    return found_here({"name": wish.founds}, _columns(wish)).user


def _customer(wish: Wish) -> User:
    """Raises RegistrationClosed."""
    _check_takes_customers()
    user = create_user(_columns(wish))
    kernel().roles.give(user.id, CUSTOMER)
    return user


def _columns(wish: Wish) -> dict[str, Any]:
    return {**wish.user, "password_hash": None, "is_active": False, "is_verified": False}


def _tell_failure(wish: Wish, job: Job, reason: str) -> None:
    """There is no row that the mail could be about."""
    address = seal("registration_failed", wish.user["email"])
    with unit_of_work():
        finish(job)
        post("registration_failed", {"address": address, "language": wish.user.get("language", "en"), "reason": reason})
