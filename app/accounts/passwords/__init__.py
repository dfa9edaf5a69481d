"""Passwords: change, reset by a mailed code or an administrator, verification for another service."""

from app.accounts.passwords import mails
from app.accounts.passwords.resources import AdminReset, ChangePassword, ResetConfirmation, ResetRequest, VerifyPassword

ENDPOINTS = (ChangePassword, ResetRequest, ResetConfirmation, AdminReset, VerifyPassword)
MAILS = {
    "password_reset": mails.password_reset,
    "password_changed": mails.notice,
    "password_reset_by_admin": mails.notice_of_temporary_password,
}
