"""Verification of a customer's e-mail address."""
