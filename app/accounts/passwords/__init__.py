"""Passwords: reset by a mailed code or an administrator, and verified for another service."""
