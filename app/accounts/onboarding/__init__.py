"""Founding of companies, registration and verification of addresses."""
