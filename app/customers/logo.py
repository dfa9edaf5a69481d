"""/customers/{id}/logo"""

from __future__ import annotations

from app.core.files.picture import Picture
from app.customers.models import Customer


class CustomerLogo(Picture):
    """The logo of a customer."""

    model, path, field = Customer, "/customers/<id>/logo", "logo"
    permission = "customer_logo"
