"""Applications with other settings."""

from tests.support.variants import variant

__all__ = ["variant"]
