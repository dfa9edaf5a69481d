"""Clients of a company."""
