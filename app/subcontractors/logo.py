"""/subcontractors/{id}/logo"""

from __future__ import annotations

from app.core.files.picture import Picture
from app.subcontractors.models import Subcontractor


class SubcontractorLogo(Picture):
    """The logo of a subcontractor."""

    model, path, field = Subcontractor, "/subcontractors/<id>/logo", "logo"
    permission = "subcontractor_logo"
