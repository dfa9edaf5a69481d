"""Changes of the caller's e-mail address."""

from app.accounts.emails import mails
from app.accounts.emails.resources import ChangeEmail, ConfirmEmail

ENDPOINTS = (ChangeEmail, ConfirmEmail)
MAILS = {
    "confirm_email": mails.confirm_email,
    "email_change_requested": mails.to_former_address,
    "email_changed": mails.to_former_address,
    "address_requested": mails.to_owner,
}
