"""What the tests of the embedded engine share."""

from tests.support.served import engine, served
from tests.support.variants import variant

__all__ = ["engine", "served", "variant"]
