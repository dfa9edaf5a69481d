"""The change of one's own e-mail address."""
