"""/subcontractors/{id}/logo"""

from app.core.files.picture import Picture
from app.core.web.default_roles import MANAGED
from app.subcontractors.models import Subcontractor


class SubcontractorLogo(Picture):
    """The logo of a subcontractor."""

    model, path, field = Subcontractor, "/subcontractors/<id>/logo", "logo"
    permission, default_roles = "subcontractor_logo", MANAGED
