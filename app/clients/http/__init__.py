"""HTTP with one deadline."""
