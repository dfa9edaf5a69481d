"""Changes of the caller's e-mail address."""

from app.accounts.emails import mails
from app.accounts.emails.resources import ChangeEmail, ConfirmEmail

ENDPOINTS = (ChangeEmail, ConfirmEmail)
MAILS = {"confirm_email": mails.confirm_email, "email_changed": mails.email_changed}
