"""Users of a company."""
