"""Companies: the tenants."""

from app.companies.resources import Companies, CompanyLogo, CreateCompany

TAG = "companies"
ENDPOINTS = (Companies, CreateCompany, CompanyLogo)
