"""What the tests of faults share."""

from tests.support.variants import variant

__all__ = ["variant"]
