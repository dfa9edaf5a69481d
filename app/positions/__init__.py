"""Positions within organization units."""
