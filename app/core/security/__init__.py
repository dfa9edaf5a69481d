"""Tokens, passwords and encryption."""
