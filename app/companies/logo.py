"""/companies/{id}/logo"""

from uuid import UUID

from app.companies.models import Company
from app.core.files.picture import Picture
from app.core.web.principal import principal


class CompanyLogo(Picture):
    """The logo of a company."""

    model, path, field = Company, "/companies/<id>/logo", "logo"
    permission = "company_logo"

    def company_of(self, id: UUID) -> UUID:
        """Users of the platform change the logo of every company, inside its tenant."""
        return id if principal().is_platform else principal().company_id
