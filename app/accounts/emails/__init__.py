"""Changes of the caller's e-mail address."""

from app.accounts.emails.resources import ChangeEmail, ConfirmEmail
from app.accounts.emails.service import confirm_email, email_changed

ENDPOINTS = (ChangeEmail, ConfirmEmail)
MAILS = {"confirm_email": confirm_email, "email_changed": email_changed}
