"""Founding of companies, registration and verification of addresses."""

from app.accounts.onboarding import mails, registration, verification, waiting
from app.accounts.onboarding.resources import AskForVerification, Register, VerifyEmail

ENDPOINTS = (Register, VerifyEmail, AskForVerification)
MAILS = {"verify_email": mails.verify_email, "already_registered": mails.already_registered}
JOBS = {
    registration.REGISTER: registration.register,
    verification.RESEND: verification.resend,
    waiting.DISCARD: waiting.discard_expired,
}
