"""The service about itself: health, configuration, first initialisation, documentation."""
