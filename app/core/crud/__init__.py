"""Declared collections: list, create, retrieve, replace, modify and remove."""
