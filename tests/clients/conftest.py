"""What the tests of the clients share."""

from tests.support.variants import variant

__all__ = ["variant"]
