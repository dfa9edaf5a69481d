"""Companies: the tenants."""

from app.companies.logo import CompanyLogo
from app.companies.resources import Companies, CreateCompany

TAG = "companies"
ENDPOINTS = (Companies, CreateCompany, CompanyLogo)
