"""/customers"""

from typing import Any

from flask import Response
from sqlalchemy import ColumnElement

from app.base.errors import Invalid
from app.core.crud.crud import Crud
from app.core.crud.expand import Expansion
from app.core.crud.filters import Filter, between
from app.core.db.lookup import lock
from app.core.files.picture import Picture
from app.core.jobs.one_time_links import revoke
from app.core.web.default_roles import MANAGED
from app.customers.countries import country_code
from app.customers.models import Customer
from app.customers.parts.addresses import CustomerAddress, CustomerAddresses
from app.customers.parts.contacts import CustomerContact, CustomerContacts
from app.customers.parts.preferences import CommunicationPreferences
from app.customers.parts.tags import TAG_FILTER, CustomerTag, Tag
from app.customers.schemas import CustomerSchema
from app.customers.verification.service import PURPOSE, unverify
from app.users.models import User

ADDRESS = (
    "id",
    "type",
    "label",
    "line1",
    "line2",
    "city",
    "state",
    "postal_code",
    "country",
    "is_primary",
    "is_verified",
)
CONTACT = ("id", "first_name", "last_name", "title", "relationship", "is_primary", "methods")


def _filter_country(text: str) -> ColumnElement[bool]:
    """Raises Invalid."""
    code = country_code(text)
    if code is None:
        raise Invalid.field("country", "Must be a country: an ISO 3166-1 code or an English name.")
    return Customer.country == code


class Customers(Crud):
    """Clients of the company."""

    model, schema, path = Customer, CustomerSchema, "/customers"
    permission, default_roles, moved = "customer", MANAGED, True
    filters = ("name", "email", "kind", "user_id", "subscription_state", "is_verified", "city")
    more_filters = {
        "country": Filter(_filter_country, {"type": "string", "description": "A code or an English name."}),
        "tag": TAG_FILTER,
        **between(Customer.created_at, "created_after", "created_before"),
    }
    sort = ("created_at", "updated_at", "name")
    expand = {
        "user": Expansion(
            User, ("id", "email", "first_name", "last_name", "phone_number", "is_active"), "user", by="user_id"
        ),
        "addresses": Expansion(
            CustomerAddress, ADDRESS, CustomerAddresses.permission, foreign="customer_id", schema=CustomerAddresses.wire
        ),
        "contacts": Expansion(
            CustomerContact, CONTACT, CustomerContacts.permission, foreign="customer_id", schema=CustomerContacts.wire
        ),
        "tags": Expansion(
            Tag, ("id", "name", "color"), "customer_tag", by="tag_id", foreign="customer_id", through=CustomerTag
        ),
        "communication_preferences": Expansion(
            CommunicationPreferences.model,
            ("id", "channel", "topic", "opted_in", "frequency"),
            CommunicationPreferences.permission,
            foreign="customer_id",
        ),
    }

    def change(self, row: Customer, values: dict[str, Any]) -> None:
        has_changed = any(values.get(name, getattr(row, name)) != getattr(row, name) for name in ("email", "user_id"))
        super().change(row, values)
        if has_changed:
            unverify(row)

    def remove(self, row: Customer) -> Response | None:
        """Lock the customer before deleting its parts, in the order of writers of parts; else both could deadlock."""
        lock(Customer, row.id)
        revoke(PURPOSE, row.id)
        return super().remove(row)


class CustomerLogo(Picture):
    """The logo of a customer."""

    model, path, field = Customer, f"{Customers.path}/<id>/logo", "logo"
    permission, default_roles, moved = "customer_logo", MANAGED, True
