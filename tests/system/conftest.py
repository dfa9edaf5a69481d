"""What the tests of the system endpoints share."""

from tests.support.everything import everything
from tests.support.variants import variant

__all__ = ["everything", "variant"]
