"""Subcontractors of a company."""
