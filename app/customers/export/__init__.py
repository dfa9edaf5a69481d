"""Everything about a customer in one archive."""
