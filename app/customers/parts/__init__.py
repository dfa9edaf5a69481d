"""Parts of a customer: addresses, contacts, notes, preferences, services and tags."""

TAG = "customer-parts"
