"""/subcontractors/{id}/logo"""

from __future__ import annotations

from uuid import UUID

from flask import Response

from app.core.files.picture import Picture
from app.subcontractors.models import Subcontractor


class SubcontractorLogo(Picture):
    """The logo of a subcontractor."""

    model, path, field = Subcontractor, "/subcontractors/<id>/logo", "logo"
    permission, revalidated = "subcontractor_logo", True

    def get(self, id: UUID) -> Response:
        """See the logo of a subcontractor. size gives a square thumbnail."""
        return self.shown(id)

    def post(self, id: UUID) -> Response:
        """Upload the logo of a subcontractor: a JPEG, PNG, GIF, BMP or WebP."""
        return self.uploaded(id)

    def delete(self, id: UUID) -> Response:
        """Remove the logo of a subcontractor."""
        return self.removed(id)
