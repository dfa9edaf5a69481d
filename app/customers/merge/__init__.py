"""Merging two customers, and undoing it."""

TAG = "customer-merges"
