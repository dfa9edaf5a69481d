"""A moment between two steps, at which something else happens."""

from collections.abc import Callable

from app.core.security.passwords import Passwords
from tests.support.databases import settings_for

Meanwhile = Callable[[], None]


class Interrupted(Passwords):
    """``meanwhile`` happens once, right after a password was verified."""

    def __init__(self, meanwhile: Meanwhile) -> None:
        super().__init__(settings_for("sqlite:///unused.db"))
        self.meanwhile: Meanwhile | None = meanwhile

    def verify(self, stored: str | None, password: str) -> bool:
        found = super().verify(stored, password)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        return found
