"""Changes of an address: requested with the password, confirmed by a link, announced to the former address."""

from datetime import timedelta
from uuid import UUID

from app.accounts.auth.sessions import end_sessions
from app.accounts.auth.throttle import reserve_daily
from app.accounts.passwords.codes import revoke_codes
from app.accounts.passwords.service import confirm_password
from app.base.errors import Conflict, Invalid, TooManyRequests
from app.core.db.transaction import company_transaction
from app.core.jobs import one_time_links
from app.core.jobs.mail import post
from app.core.jobs.one_time_links import InvalidLink
from app.core.security.encryption import seal
from app.core.security.tokens import Claims
from app.core.web.principal import Principal
from app.users.links import CHANGE_EMAIL, redeem
from app.users.service import lock_user, set_values

LIFETIME = timedelta(hours=24)
ADDRESS = "email_changed"
RETRY_AFTER_SECONDS = 3600


def request_change(me: Principal, new: str, password: str, ip: str | None) -> None:
    """Raises Invalid, TooManyRequests, and Conflict. The worker finds out whether the address is in use."""
    if new == me.email:
        raise Invalid.field("new_email", "Is your present address.")
    password_hash = confirm_password(me, password, ip)
    if not reserve_daily(f"address {me.user_id}"):
        raise TooManyRequests(RETRY_AFTER_SECONDS)
    with company_transaction(me.company_id):
        _issue(me.user_id, password_hash, new)


def _issue(user_id: UUID, password_hash: str | None, new: str) -> None:
    """Raises Conflict if the password has changed since it was confirmed."""
    user = lock_user(user_id)
    if user is None or user.password_hash != password_hash:
        raise Conflict()
    link_id = one_time_links.issue(CHANGE_EMAIL, user.id, new, LIFETIME)
    post("confirm_email", {"link_id": str(link_id)})
    _notify("email_change_requested", user.id, user.email)


def confirm_change(token: str, claims: Claims | None) -> None:
    """Set the address, and end the user's sessions but that of ``claims``. Raises InvalidLink, and IntegrityError."""
    link = one_time_links.check(token, CHANGE_EMAIL)
    with redeem(link) as user:
        if not user.is_active:
            raise InvalidLink()
        set_values(user, {"email": link.address, "is_verified": True})
        own_session = claims.session_id if claims is not None and claims.user_id == user.id else None
        end_sessions(user.id, "e-mail changed", except_for=own_session)


def revoke_mailed(user_id: UUID, _former: str) -> None:
    """Revoke all links and codes mailed to the former address. A subscriber of ``on_email_changed``."""
    one_time_links.revoke_all(user_id)
    revoke_codes(user_id)


def announce_change(user_id: UUID, former: str) -> None:
    """Notify the former address. A subscriber of ``on_email_assigned``; one's own change is announced beforehand."""
    _notify("email_changed", user_id, former)


def _notify(mail: str, user_id: UUID, address: str) -> None:
    post(mail, {"user_id": str(user_id), "address": seal(ADDRESS, address)})
