"""Public sign-up: an encrypted registration for any address. Its mailed link creates user and company."""

from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.accounts.auth.throttle import reserve_daily
from app.accounts.onboarding.pending import PendingRegistration, consume, seal_registration, store, unseal_registration
from app.accounts.onboarding.service import create_bound_company
from app.base.errors import Conflict, Forbidden, Invalid
from app.base.roles import CUSTOMER
from app.base.text import CANONICAL_UUID, fold
from app.companies.models import ACTIVE, Company
from app.core.db.models import db
from app.core.db.transaction import company_transaction, platform_session, unit_of_work
from app.core.jobs.mail import post
from app.core.jobs.one_time_links import tenant_of
from app.core.jobs.outbox import Job, complete, enqueue
from app.core.services import services
from app.core.web.problems import violation_of
from app.users.service import create_user, login_of

log = structlog.get_logger(__name__)

REGISTER = "onboarding.register"


class RegistrationClosed(Forbidden):
    code, message = "REGISTRATION_CLOSED", "Registration is closed."


def check_open(wish: dict[str, Any]) -> None:
    """Before anything else of an unchecked body is looked at. Raises RegistrationClosed."""
    company_id = wish.get("company_id")
    if "company" in wish or company_id is None:
        _check_open(is_founding=True)
    elif isinstance(company_id, str) and CANONICAL_UUID.fullmatch(company_id):
        with company_transaction(UUID(company_id), writes=False):
            _check_open(is_founding=False)


def request_registration(values: dict[str, Any], ip: str | None) -> None:
    """Raises Invalid, and Conflict for the name of a company."""
    company_name = values.get("company", {}).get("name")
    company_id = uuid7() if company_name else values["company_id"]
    user = {name: value for name, value in values.items() if name in COLUMNS}
    user["password_hash"] = services().passwords.hash(_password(values))
    if company_name and _is_taken(company_name):
        raise _name_in_use()
    sealed = seal_registration(PendingRegistration(company_id, company_name, user, ip))
    with unit_of_work():
        enqueue(REGISTER, {"wish": sealed})


COLUMNS = ("email", "first_name", "last_name", "phone_number", "language")


def _password(values: dict[str, Any]) -> str:
    """Raises Invalid."""
    password: str = values["password1"]
    services().passwords.check_acceptable(password, values["email"], "password1")
    if password != values["password2"]:
        raise Invalid.field("password2", "Must be the same as password1.")
    return password


def _name_in_use() -> Conflict:
    return Conflict("company.name: Already in use.", errors={"company": {"name": ["Already in use."]}})


def _is_taken(name: str) -> bool:
    with platform_session() as session:
        return session.scalar(select(Company.id).where(Company.name_key == fold(name))) is not None


def _check_open(*, is_founding: bool) -> None:
    """For a new company, or for customers of the bound one. Raises RegistrationClosed."""
    if is_founding:
        is_open = services().settings.registration == "open"
    else:
        takes_customers = (Company.status == ACTIVE, Company.customer_registration == "open")
        is_open = db.session.scalar(select(Company.id).where(*takes_customers)) is not None
    if not is_open:
        raise RegistrationClosed()


def register(job: Job) -> None:
    """The handler of ``REGISTER``. Mails a notice to the owner of a known address, and a link to an unknown one."""
    pending = unseal_registration(job.payload["wish"])
    address = pending.user["email"]
    if job.attempts == 1 and not reserve_daily(f"register {fold(address)}", pending.ip):
        log.info("registration_ignored", reason="too many for this address", job_id=job.id)
        return
    with unit_of_work(writes=False):
        owner = login_of(address)
    if owner is not None:
        _mail_owner(*owner, job)
        return
    with unit_of_work():
        complete(job)
        store(job.id, job.payload["wish"], address)


def _mail_owner(company_id: UUID, user_id: UUID, job: Job) -> None:
    with company_transaction(company_id):
        complete(job)
        post("already_registered", {"user_id": str(user_id)})


def complete_registration(token: str) -> None:
    """Create its user and company. Raises InvalidLink, RegistrationClosed, and Conflict for what was taken since."""
    try:
        with company_transaction(tenant_of(token)):
            _create(consume(token))
    except IntegrityError as error:
        columns = violation_of(error)[1]
        if "name_key" in columns:
            raise _name_in_use() from None
        if "email_key" in columns:
            raise Conflict.field("email") from None
        raise


def _create(pending: PendingRegistration) -> None:
    """Raises RegistrationClosed."""
    _check_open(is_founding=bool(pending.company_name))
    columns = {**pending.user, "is_active": True, "is_verified": True}
    if pending.company_name:
        create_bound_company({"name": pending.company_name}, columns)
        return
    services().tenant_roles.assign_default(create_user(columns).id, CUSTOMER)
