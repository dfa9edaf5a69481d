"""Kinds of identity documents, the same for every tenant."""
