"""/customers/{id}/logo"""

from __future__ import annotations

from uuid import UUID

from flask import Response

from app.core.files.picture import Picture
from app.customers.models import Customer


class CustomerLogo(Picture):
    """The logo of a customer."""

    model, path, field = Customer, "/customers/<id>/logo", "logo"
    permission, revalidated = "customer_logo", True

    def get(self, id: UUID) -> Response:
        """See the logo of a customer. size gives a square thumbnail."""
        return self.shown(id)

    def post(self, id: UUID) -> Response:
        """Upload the logo of a customer: a JPEG, PNG, GIF, BMP or WebP."""
        return self.uploaded(id)

    def delete(self, id: UUID) -> Response:
        """Remove the logo of a customer."""
        return self.removed(id)
