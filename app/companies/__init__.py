"""Companies: the tenants."""

from app.companies.deletion import DELETE, continue_deletion
from app.companies.resources import Companies, CompanyLogo, CreateCompany

TAG = "companies"
ENDPOINTS = (Companies, CreateCompany, CompanyLogo)
JOBS = {DELETE: continue_deletion}
