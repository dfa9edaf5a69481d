"""Sign-in, passwords, changes of address, sign-up and invitations."""

from functools import partial

from app.accounts import auth, emails, invitations, onboarding, passwords
from app.accounts.auth.sessions import end_sessions
from app.accounts.auth.sweep import INTERVAL, REST, SWEEP, sweep
from app.accounts.emails.service import announce_change, revoke_mailed
from app.accounts.invitations.service import invite_administrator, remove_invitation
from app.accounts.passwords.mails import notice
from app.companies.events import on_company_created
from app.core.events import Subscription
from app.users.events import (
    on_email_assigned,
    on_email_changed,
    on_user_activated,
    on_user_deactivated,
    on_user_deleting,
)

TAG = "accounts"
ENDPOINTS = (*auth.ENDPOINTS, *passwords.ENDPOINTS, *onboarding.ENDPOINTS, *emails.ENDPOINTS, *invitations.ENDPOINTS)
MAILS = {"stolen_session": notice, **passwords.MAILS, **onboarding.MAILS, **invitations.MAILS, **emails.MAILS}
JOBS = {**onboarding.JOBS, SWEEP: sweep, REST: sweep}
RECURRING = {SWEEP: INTERVAL}
SUBSCRIPTIONS = (
    Subscription(on_company_created, invite_administrator),
    Subscription(on_user_activated, remove_invitation),
    Subscription(on_user_deactivated, partial(end_sessions, reason="deactivated")),
    Subscription(on_user_deleting, partial(end_sessions, reason="deleted")),
    Subscription(on_email_changed, revoke_mailed),
    Subscription(on_email_assigned, announce_change),
)
