"""Companies: the tenants."""

from app.companies.logo import CompanyLogo
from app.companies.resources import Companies

TAG = "companies"
ENDPOINTS = (Companies, CompanyLogo)
