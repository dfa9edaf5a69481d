"""Invitations: the user exists at once, and can sign in after the mailed link was followed."""

from collections.abc import Iterable, Mapping
from datetime import timedelta
from typing import Any
from uuid import UUID

import structlog
from sqlalchemy import delete, select
from sqlalchemy.exc import IntegrityError
from uuid_utils.compat import uuid7

from app.accounts.auth.sessions import ClientInfo, SignedIn, open_session
from app.accounts.invitations.models import Invitation
from app.accounts.onboarding.service import create_defaults
from app.base.clock import utcnow
from app.base.errors import ApiError, Conflict
from app.base.roles import Actor
from app.companies.models import Company
from app.core.db.lookup import get_row, not_found, reload
from app.core.db.models import db
from app.core.db.transaction import company_transaction, execute_and_count
from app.core.jobs import one_time_links
from app.core.jobs.mail import Mail, plain_name, post
from app.core.jobs.one_time_links import InvalidLink
from app.core.jobs.outbox import Job
from app.core.services import services
from app.core.web.principal import ensure_company_active
from app.core.web.problems import violation_of
from app.core.wire.schema import BaseSchema
from app.users.links import INVITATION, link_mail, redeem
from app.users.models import User
from app.users.service import check_may_leave, create_user, erase_user, lock_user

log = structlog.get_logger(__name__)

LIFETIME = timedelta(days=7)
NOT_YET = {"is_active": False, "is_verified": False}

Values = Mapping[str, Any]


def invite(values: Values, role_ids: Iterable[UUID], actor: Actor, schema: BaseSchema) -> UUID:
    """Returns its id. Raises Invalid; errors of roles remove the user again. The mail is last, as it can be resent."""
    roles = list(dict.fromkeys(role_ids))
    with company_transaction(actor.company_id) as session:
        schema.check_refs(session, values)
        user = create_user({**values, **NOT_YET})
        invitation = _create_invitation(user, by=actor.user_id)
        if not roles:
            _send(invitation, user)
            return invitation.id
    _assign_roles(user.id, roles, actor)
    with company_transaction(actor.company_id):
        resend_invitation(invitation.id)
    return invitation.id


def _create_invitation(user: User, by: UUID | None) -> Invitation:
    invitation = Invitation(id=uuid7(), user_id=user.id, invited_by=by, expires_at=utcnow() + LIFETIME)
    db.session.add(invitation)
    db.session.flush()
    return invitation


def _send(invitation: Invitation, user: User) -> None:
    invitation.expires_at = utcnow() + LIFETIME
    db.session.flush()
    link_id = one_time_links.issue(INVITATION, user.id, user.email, LIFETIME)
    post("invitation", {"link_id": str(link_id), "invited_by": invitation.invited_by and str(invitation.invited_by)})


def _assign_roles(user_id: UUID, role_ids: list[UUID], actor: Actor) -> None:
    try:
        for role_id in role_ids:
            services().role_directory.assign(user_id, role_id, actor)
    except Exception:
        _unassign_roles(user_id, actor)
        with company_transaction(actor.company_id):
            lock_user(user_id)
            erase_user(user_id)
        raise


def _unassign_roles(user_id: UUID, actor: Actor) -> None:
    """Reads the roles anew: an assignment without an answer may have succeeded."""
    role_directory = services().role_directory
    try:
        for role in role_directory.roles_of(user_id, actor):
            role_directory.unassign(user_id, role["id"], actor)
    except ApiError as error:
        log.warning("roles_not_withdrawn", user_id=user_id, reason=error.error_code)


def resend_invitation(invitation_id: UUID) -> None:
    """Mail a new link, which replaces the former. Inside the tenant's unit of work. Raises NotFound."""
    _send(*_lock_invitation(invitation_id))


def revoke_invitation(invitation: Invitation, *, by: UUID) -> None:
    """Remove the invitation and its user. Raises NotFound if it has been accepted since."""
    check_may_leave(get_row(User, invitation.user_id), by=by)
    _lock_invitation(invitation.id)
    erase_user(invitation.user_id)


def _lock_invitation(invitation_id: UUID) -> tuple[Invitation, User]:
    """Lock the user's row, which acceptance and revocation lock too. Raises NotFound."""
    user = lock_user(get_row(Invitation, invitation_id).user_id)
    invitation: Invitation | None = reload(Invitation, invitation_id)
    if user is None or invitation is None:
        raise not_found(Invitation)
    return invitation, user


def accept(token: str, password: str, client: ClientInfo) -> SignedIn:
    """Raises InvalidLink, Invalid, and Forbidden for an inactive company."""
    link = one_time_links.check(token, INVITATION)
    services().passwords.check_acceptable(password, link.address)
    password_hash = services().passwords.hash(password)
    with redeem(link) as user:
        if user.email != link.address or not _delete_invitation(user.id):
            raise InvalidLink()
        ensure_company_active(db.session.scalar(select(Company.status)))
        _activate(user, password_hash)
        return open_session(user.id, client)


def _activate(user: User, password_hash: str) -> None:
    now = utcnow()
    user.password_hash, user.password_reset_required = password_hash, False
    user.is_active = user.is_verified = True
    user.last_password_change = user.last_login_at = now
    db.session.flush()


def _delete_invitation(user_id: UUID) -> bool:
    """True for one of several simultaneous requests that end the invitation."""
    return bool(execute_and_count(delete(Invitation).where(Invitation.user_id == user_id)))


def remove_invitation(user_id: UUID) -> None:
    """Remove the invitation that an activated user no longer needs. A subscriber of ``on_user_activated``."""
    one_time_links.revoke(INVITATION, user_id)
    _delete_invitation(user_id)


def invite_administrator(values: Values | None) -> None:
    """A subscriber of ``on_company_created``. Raises Conflict for an address in use."""
    if values is None:
        return
    try:
        _, _, user = create_defaults({**values, **NOT_YET})
    except IntegrityError as error:
        if "email_key" not in violation_of(error)[1]:
            raise
        raise Conflict("admin.email: Already in use.", errors={"admin": {"email": ["Already in use."]}}) from None
    _send(_create_invitation(user, by=None), user)


def invitation(job: Job) -> Mail | None:
    with company_transaction(job.company_id, writes=False):
        company = plain_name(db.session.scalar(select(Company.name)))
        inviter = plain_name(_name_of(job.payload["invited_by"]))
    return link_mail(job, "/accept-invitation", company=company, inviter=inviter, days=LIFETIME.days)


def _name_of(user_id: str | None) -> str:
    """Empty for a deleted user, or one of another company."""
    if user_id is None:
        return ""
    row = db.session.execute(select(User.first_name, User.last_name).where(User.id == UUID(user_id))).one_or_none()
    return " ".join(filter(None, row or ()))
