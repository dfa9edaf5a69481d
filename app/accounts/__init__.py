"""How people get an account, sign in and recover it."""

from app.accounts import auth, emails, invitations, onboarding, passwords

ENDPOINTS = (
    *auth.ENDPOINTS,
    *passwords.ENDPOINTS,
    *onboarding.ENDPOINTS,
    *emails.ENDPOINTS,
    *invitations.ENDPOINTS,
)
MAILS = {**passwords.MAILS, **onboarding.MAILS, **invitations.MAILS, **emails.MAILS}
JOBS = onboarding.JOBS
