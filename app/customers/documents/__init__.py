"""Documents about customers."""
