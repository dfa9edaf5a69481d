"""Passwords that are reset: by a mailed code, by an administrator; and verified for another service."""
