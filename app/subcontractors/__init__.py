"""Subcontractors of a company."""

from app.subcontractors.resources import SubcontractorLogo, Subcontractors

TAG = "subcontractors"
ENDPOINTS = (Subcontractors, SubcontractorLogo)
