"""Two example companies for development."""
