"""Sign-in, sessions and their refresh."""
