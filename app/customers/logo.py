"""/customers/{id}/logo"""

from app.core.files.picture import Picture
from app.core.web.default_roles import MANAGED
from app.customers.models import Customer


class CustomerLogo(Picture):
    """The logo of a customer."""

    model, path, field = Customer, "/customers/<id>/logo", "logo"
    permission, default_roles, moved = "customer_logo", MANAGED, True
