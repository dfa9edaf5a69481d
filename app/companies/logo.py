"""/companies/{id}/logo"""

from __future__ import annotations

from uuid import UUID

from flask import Response

from app.companies.models import Company
from app.core.files.picture import Picture
from app.core.web.principal import principal


class CompanyLogo(Picture):
    """The logo of a company."""

    model, path, field = Company, "/companies/<id>/logo", "logo"
    permission, revalidated = "company_logo", True

    def get(self, id: UUID) -> Response:
        """See the logo of a company. size gives a square thumbnail."""
        return self.shown(id)

    def post(self, id: UUID) -> Response:
        """Upload the logo of a company: a JPEG, PNG, GIF, BMP or WebP."""
        return self.uploaded(id)

    def delete(self, id: UUID) -> Response:
        """Remove the logo of a company."""
        return self.removed(id)

    def company_of(self, id: UUID) -> UUID:
        """Users of the platform act on every company, each in its own tenant."""
        return id if principal().is_platform else principal().company_id
