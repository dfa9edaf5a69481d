"""Mail that can be read."""

from tests.support.letters import letters

__all__ = ["letters"]
