"""Changes of passwords: by the user, by a mailed code, by an administrator."""

import secrets
from collections.abc import Sequence
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import Row, select, update

from app.accounts.auth.service import NOBODY, Account, find_account
from app.accounts.auth.sessions import end_sessions
from app.accounts.auth.throttle import Attempt, change_subject, forgive_account
from app.accounts.passwords.codes import CODE, VALID, consume_code, count_guess, revoke_codes, secrets_of
from app.base.clock import utcnow
from app.base.errors import BadRequest, Conflict, Invalid
from app.base.text import CONTROL, has_long_run_of_marks, normalize_email
from app.companies.models import ACTIVE
from app.core.db.lookup import check_exists, lock
from app.core.db.models import db
from app.core.db.transaction import company_transaction, execute_and_count, unit_of_work
from app.core.jobs import mail, one_time_links
from app.core.security.derived_keys import macs
from app.core.security.encryption import seal
from app.core.services import services
from app.core.web.principal import Principal
from app.core.wire.schema import Email
from app.users.control import check_control
from app.users.links import CHANGE_EMAIL
from app.users.models import User
from app.users.service import USABLE_HASH, OwnAccount, time_of_end

log = structlog.get_logger(__name__)

ADDRESS = "password-reset-address"
MAX_ADDRESS_LENGTH = 254  # RFC 5321 section 4.5.3.1.3, less the brackets

# Without characters that are easily confused.
UPPER, LOWER, DIGITS, SYMBOLS = "ABCDEFGHJKLMNPQRSTUVWXYZ", "abcdefghijkmnopqrstuvwxyz", "23456789", "!#$%&*+-=?@"
TEMPORARY_LENGTH = 12


class InvalidCode(BadRequest):
    code, message = "INVALID_OTP", "Invalid or expired OTP code"


def confirm_password(caller: Principal, password: str, ip: str | None) -> str | None:
    """The hash of the caller's own password. Raises Invalid and TooManyRequests."""
    with company_transaction(caller.company_id, writes=False):
        password_hash = db.session.scalar(select(USABLE_HASH).where(User.id == caller.user_id), time_of_end())
    attempt = Attempt(change_subject(caller.user_id), caller.company_id, caller.user_id, ip)
    with attempt.counted():
        if not services().passwords.verify(password_hash, password):
            raise Invalid.field("current_password", "Is wrong.")
        with unit_of_work():
            attempt.forgive()
    return password_hash


def change_password(caller: Principal, current: str, new: str, ip: str | None) -> None:
    """Raises Invalid, TooManyRequests, and Conflict if the password has changed since its verification."""
    passwords = services().passwords
    passwords.check_acceptable(new, caller.email, "new_password")
    if current == new:
        raise Invalid.field("new_password", "Must differ from the current one.")
    former_hash = confirm_password(caller, current, ip)
    new_hash = passwords.hash(new)
    with company_transaction(caller.company_id):
        # Replaces only the verified hash: of two simultaneous changes the later one is refused.
        if not _store_password(caller.user_id, new_hash, User.password_hash == former_hash):
            raise Conflict()
        end_sessions(caller.user_id, "password changed", except_for=caller.session_id)
        mail.post("password_changed", {"user_id": str(caller.user_id)})


def _store_password(user_id: UUID, password_hash: str, *only_if: Any, is_temporary: bool = False) -> bool:
    """Also revoke codes and a change of address, with the user's row locked. False if ``only_if`` excludes it."""
    values = {
        "password_hash": password_hash,
        "password_reset_required": is_temporary,
        "last_password_change": utcnow(),
        "row_version": User.row_version + 1,
        "updated_at": utcnow(),
    }
    if not execute_and_count(update(User).where(User.id == user_id, *only_if).values(values)):
        return False
    revoke_codes(user_id)
    one_time_links.revoke(CHANGE_EMAIL, user_id)
    forgive_account(user_id)
    return True


# By a mailed code


def request_reset(text: Any, ip: str | None) -> None:
    """Write one row for any text. The worker looks for the account."""
    address = address_in(text)
    keyed = macs(ADDRESS, address.encode())[0].hex()
    with unit_of_work():
        mail.post("password_reset", {"address_hash": keyed, "address": seal(ADDRESS, f"{address}\n{ip or ''}")})
    log.info("reset_requested", ip=ip, address_hash=keyed[:12])


def address_in(text: Any) -> str:
    """The normalized address; empty if it is not valid."""
    if not isinstance(text, str) or len(text) > MAX_ADDRESS_LENGTH or CONTROL.search(text):
        return ""
    if has_long_run_of_marks(text):
        return ""
    return normalize_email(text) if Email.is_valid(normalize_email(text)) else ""


def confirm_reset(address: str, code: str, new: str, ip: str | None) -> None:
    """Raises Invalid, and InvalidCode: an unknown address takes the same steps as a known one, down to the hash."""
    passwords = services().passwords
    passwords.check_acceptable(new, address, "new_password")
    if not CODE.fullmatch(code):
        raise InvalidCode()
    account = find_recipient(address)
    user_id, company_id = (account.user_id, account.company_id) if account else (NOBODY, NOBODY)
    live_code = _find_code(count_guess(company_id, user_id, ip), secrets_of(user_id, code))
    if live_code is None:
        raise InvalidCode()
    new_hash = passwords.hash(new)
    with company_transaction(company_id):
        # The user's row before the code's: the worker locks them in this order too.
        lock(User, user_id, key_share=True)
        if not consume_code(live_code) or not _store_password(user_id, new_hash, User.is_active):
            raise InvalidCode()
        end_sessions(user_id, "password reset")
        mail.post("password_changed", {"user_id": str(user_id)})
    log.info("password_was_reset", user_id=user_id)


def _find_code(live_codes: Sequence[Row[UUID, str]], secrets: list[str]) -> Row[UUID, str] | None:
    """After equally many comparisons, however many live codes there are."""
    verify, missing = services().passwords.verify, [None] * (VALID - len(live_codes))
    pairs = [(live_code, secret) for live_code in (*live_codes, *missing) for secret in secrets]
    matches = [live_code for live_code, secret in pairs if verify(live_code and live_code.otp_code, secret)]
    return matches[0] if matches else None


def find_recipient(address: str) -> Account | None:
    """The account, if its owner could sign in with a password; it need not have one yet."""
    account = find_account("email", address)
    can_sign_in = account is not None and account.is_active and account.company_status == ACTIVE
    return account if can_sign_in else None


# By an administrator


def temporary_password() -> str:
    """12 characters with every class. Whole candidates are rejected, so that all are equally likely."""
    classes = (UPPER, LOWER, DIGITS, SYMBOLS)
    while True:
        password = "".join(secrets.choice("".join(classes)) for _ in range(TEMPORARY_LENGTH))
        if all(set(password) & set(characters) for characters in classes):
            return password


def reset_by_administrator(user_id: UUID, password_hash: str, *, by: UUID) -> None:
    """In the tenant's unit of work. Raises NotFound, Conflict (own account), Forbidden (a user with more rights)."""
    if user_id == by:
        raise OwnAccount("Your own password is changed by PATCH /users/me/change-password.")
    check_exists(User, user_id)
    check_control(user_id, by=by)
    set_temporary_password(user_id, password_hash)


def set_temporary_password(user_id: UUID, password_hash: str) -> None:
    """Set a password that must be changed first, and end all sessions. Inside the tenant's unit of work."""
    _store_password(user_id, password_hash, is_temporary=True)
    end_sessions(user_id, "password reset")
    mail.post("password_reset_by_admin", {"user_id": str(user_id)})
    log.info("password_was_reset_by_administrator", user_id=user_id)
