"""The organization tree."""
