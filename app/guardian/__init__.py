"""The embedded policy engine: roles, policies and permissions of each company, on the same database."""
