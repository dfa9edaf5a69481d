"""Splitting of the addresses that were one text."""
