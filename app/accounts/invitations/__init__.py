"""Invitations by administrators."""

from app.accounts.invitations import mails
from app.accounts.invitations.resources import AcceptInvitation, Invitations, Invite, ResendInvitation

ENDPOINTS = (Invitations, Invite, ResendInvitation, AcceptInvitation)
MAILS = {"invitation": mails.invitation}
