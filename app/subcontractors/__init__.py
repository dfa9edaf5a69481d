"""Subcontractors of a company."""

from app.subcontractors.logo import SubcontractorLogo
from app.subcontractors.resources import Subcontractors

TAG = "subcontractors"
ENDPOINTS = (Subcontractors, SubcontractorLogo)
