"""Sign-in, sessions and their refresh."""

from app.accounts.auth.resources import KeySet, Login, Logout, OneSession, OtherSessions, Refresh, Sessions, Verify

TAG = "auth"
ENDPOINTS = (Login, Refresh, Logout, Verify, Sessions, OtherSessions, OneSession, KeySet)
