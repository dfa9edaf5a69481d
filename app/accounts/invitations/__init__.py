"""Invitations by administrators."""

from app.accounts.invitations.resources import AcceptInvitation, Invitations, Invite, ResendInvitation
from app.accounts.invitations.service import invitation

ENDPOINTS = (Invitations, Invite, ResendInvitation, AcceptInvitation)
MAILS = {"invitation": invitation}
