"""What belongs to a customer: addresses, contacts, notes, preferences, services and tags."""

TAG = "customer-parts"
