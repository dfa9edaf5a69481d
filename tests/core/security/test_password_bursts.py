"""Many verifications at once: slots, and how long one is waited for."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter

import pytest

from app.base.errors import Unavailable
from app.config.environment import load_settings
from app.core.security.passwords import MAX_WAIT_SECONDS, Passwords
from tests.core.security.hashing import CHEAP, GOOD, LEGACY, PASSWORDS
from tests.support.marks import flaky


def burst(ours: Passwords, size: int) -> list[bool]:
    """True for each hashing that got a slot, when all ask at once."""
    together = Barrier(size, timeout=30)

    def one(_: int) -> bool:
        together.wait()
        try:
            return ours.hash(GOOD).startswith("$argon2id$")
        except Unavailable:
            return False

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def slow(max_wait: float = MAX_WAIT_SECONDS) -> Passwords:
    settings = load_settings({"JWT_SECRET": "x" * 40, "ARGON2_MEMORY_KIB": "16384", "ARGON2_TIME_COST": "10"})
    return Passwords(settings, slots=1, max_wait=max_wait)


def test_a_burst_beyond_the_slots_is_refused_after_the_longest_wait() -> None:
    ours = slow(max_wait=0.01)

    served = burst(ours, 6)

    assert 1 <= sum(served) < 6
    assert ours.hash(GOOD), "a refusal gives no slot away"


def test_a_burst_within_the_longest_wait_is_served() -> None:
    assert burst(slow(), 3) == [True, True, True]


def test_a_failed_verification_gives_its_slot_back() -> None:
    ours = Passwords(load_settings({"JWT_SECRET": "x" * 40, **CHEAP}), slots=1, max_wait=0.01)

    for stored in (None, "!", PASSWORDS.hash("another"), LEGACY[0], "$2b$04$" + "9" * 53):
        assert not ours.verify(stored, "wrong")

    assert ours.verify(PASSWORDS.hash(GOOD), GOOD)


@flaky
def test_the_longest_wait_covers_the_whole_call() -> None:
    ours = slow(max_wait=0.3)
    with ours._slot():
        start = perf_counter()

        with pytest.raises(Unavailable) as refused:
            ours.verify(None, GOOD)

    assert 0.25 < perf_counter() - start < 1
    assert refused.value.headers["Retry-After"] == "1"
    assert MAX_WAIT_SECONDS == 5
