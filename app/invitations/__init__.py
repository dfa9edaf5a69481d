"""Invitations by administrators."""
