"""/subcontractors and their logos"""

from app.core.crud.crud import Crud
from app.core.files.picture import Picture
from app.core.web.default_roles import MANAGED
from app.subcontractors.models import Subcontractor
from app.subcontractors.schemas import SubcontractorSchema


class Subcontractors(Crud):
    """Subcontractors of the company."""

    model, schema, path = Subcontractor, SubcontractorSchema, "/subcontractors"
    permission, default_roles = "subcontractor", MANAGED
    filters = ("name", "email")
    sort = ("created_at", "updated_at", "name")


class SubcontractorLogo(Picture):
    """The logo of a subcontractor."""

    model, path, field = Subcontractor, "/subcontractors/<id>/logo", "logo"
    permission, default_roles = "subcontractor_logo", MANAGED
