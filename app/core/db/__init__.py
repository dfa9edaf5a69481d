"""Models, tenants, transactions and connections."""
