"""Creation of companies, registration, and verification of addresses."""

from app.accounts.onboarding import mails, pending, registration, verification
from app.accounts.onboarding.resources import Register, RequestVerification, VerifyEmail

ENDPOINTS = (Register, VerifyEmail, RequestVerification)
MAILS = {"verify_email": mails.verify_email, "already_registered": mails.already_registered}
JOBS = {
    registration.REGISTER: registration.register,
    verification.RESEND: verification.resend,
    pending.DISCARD: pending.discard_expired,
}
