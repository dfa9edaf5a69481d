"""Subcontractors of a company."""

from app.subcontractors.logo import SubcontractorLogo
from app.subcontractors.resources import Subcontractors

ENDPOINTS = (Subcontractors, SubcontractorLogo)
