"""/gadgets"""

from app.core.crud.crud import Crud
from app.core.web.default_roles import MANAGED
from tests.support.gadgets.models import Gadget
from tests.support.gadgets.schemas import GadgetSchema


class Gadgets(Crud):
    """Gadgets of the company."""

    model, schema, path = Gadget, GadgetSchema, "/gadgets"
    permission, default_roles = "gadget", MANAGED
    filters = ("name", "subcontractor_id")
    sort = ("created_at", "name")
