"""Who has which role, and what that allows: asked of whatever keeps the roles."""
