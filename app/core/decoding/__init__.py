"""Makes pictures out of whatever was sent: a program of its own, run by ``core/images.py`` for one upload."""
