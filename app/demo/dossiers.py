"""Example dossiers: addresses, contacts, preferences, notes, services and tags."""

from typing import Any
from uuid import UUID

from app.core.crud.crud import Crud
from app.customers.models import Customer
from app.customers.parts.addresses import CustomerAddresses
from app.customers.parts.contacts import CustomerContacts
from app.customers.parts.notes import CustomerNotes
from app.customers.parts.preferences import CommunicationPreferences
from app.customers.parts.services import CustomerServices
from app.customers.parts.subscriptions import change_state
from app.customers.parts.tags import Tags, assign_tag
from app.demo.names import phone_number, slug, street

TAGS = {"Key account": "#b8860b", "Pays late": "#b22222", "Seasonal": "#2e8b57"}
# The states of subscription that customers in turn have passed.
STATE_PATHS = (("active",), ("active", "past_due"), ("trial",), ("active", "suspended"), ("active", "cancelled"), ())
PREFERENCES = (("email", "billing"), ("email", "marketing"), ("sms", "outage"), ("phone", "service"))
NOTES = ("Prefers deliveries before noon.", "Asks for an invoice on paper.", "Has a dog that is friendly.")


def make(crud: type[Crud], values: dict[str, Any], **beyond: Any) -> Any:
    """Create the row of a POST of ``values``; ``beyond`` has columns that no request sets."""
    return crud().create(crud.wire.checked(values) | beyond)


def make_tags() -> list[UUID]:
    return [make(Tags, {"name": name, "color": color}).id for name, color in TAGS.items()]


def fill_dossier(
    customer: Customer, number: int, place: str, person: tuple[str, str], tags: list[UUID], by: UUID
) -> None:
    """Create the parts of one customer. ``number`` varies them; ``by`` is the author of the note."""
    owner = {"customer_id": customer.id}
    for kind in ("billing", "shipping")[: 1 + number % 2]:
        line = {"line1": street(number), "city": place, "country": "GB"}
        make(CustomerAddresses, line | {"type": kind, "is_primary": True}, **owner)
    make(CustomerContacts, _contact(number, person, str(customer.email)), **owner)
    for turn in range(1 + number % 3):
        channel, topic = PREFERENCES[(number + turn) % len(PREFERENCES)]
        preference = {"channel": channel, "topic": topic, "opted_in": number % 5 != 0, "source": "contract"}
        make(CommunicationPreferences, preference, **owner)
    make(CustomerNotes, {"body": NOTES[number % len(NOTES)], "is_pinned": number % 4 == 0}, **owner, author=by)
    # Before the services: counting them raises the customer's version outside of this session.
    for state in STATE_PATHS[number % len(STATE_PATHS)]:
        change_state(customer, state, None)
    for visit in range(number % 4):
        day = f"2025-{1 + (number + 3 * visit) % 12:02}-{1 + number % 28:02}"
        service = {"description": "Site visit", "performed_on": day, "external_id": f"visit-{number}-{visit}"}
        make(CustomerServices, service, **owner)
    assign_tag(tags[number % len(tags)], (Customer.id == customer.id,))


def _contact(number: int, person: tuple[str, str], email: str) -> dict[str, Any]:
    first, last = person
    address = f"{slug(first, last)}@{email.partition('@')[2]}"
    methods = [
        {"kind": "email", "value": address, "label": "Work", "is_primary": True},
        {"kind": "mobile", "value": phone_number(number + 700)},
    ]
    return {"first_name": first, "last_name": last, "title": "Buyer", "is_primary": True, "methods": methods}
