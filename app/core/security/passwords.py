"""Passwords: the rules for new ones, their hashes, and older kinds of hashes that still verify."""

import os
import re
import secrets
import time
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from threading import BoundedSemaphore
from typing import Any

import bcrypt
from argon2 import PasswordHasher, Type, extract_parameters
from argon2.exceptions import Argon2Error, VerifyMismatchError
from argon2.low_level import ARGON2_VERSION
from werkzeug.security import check_password_hash

from app.base.errors import Invalid, Unavailable
from app.config.settings import Settings

MAX_LENGTH = 128
# A bound before NFKC, which can shorten a password: three Hangul letters become one syllable.
MAX_RAW_LENGTH = 1024
MAX_WAIT_SECONDS = 5.0
MARGIN, MAX_PAD_SECONDS = 1.5, 10.0
BCRYPT_BYTES = 72

# zxcvbn refuses longer texts, and tries every reading of these symbols: a long text with many took 1.7 s.
ZXCVBN_LENGTH, ZXCVBN_SYMBOL_LENGTH, ZXCVBN_MAX_SYMBOLS = 72, 24, 5
AMBIGUOUS_SYMBOLS = frozenset("@4({[<69!1|7$5+")

# A stored hash that costs more verifies nothing: a row moved in from elsewhere must not occupy a processor for long.
MAX_MEMORY_KIB, MAX_PASSES, MAX_LANES = 256 * 1024, 10, 64
MAX_SCRYPT_N = 2**18
PBKDF2 = re.compile(r"pbkdf2:sha(1|224|256|384|512):[1-4]?\d{1,6}\$[^$]+\$[0-9a-f]+", re.ASCII)
SCRYPT = re.compile(r"scrypt:(\d{1,6}):(\d{1,3}):(\d{1,2})\$[^$]+\$[0-9a-f]+", re.ASCII)
BCRYPT = re.compile(r"\$2[aby]\$(0[4-9]|1[0-5])\$[./A-Za-z0-9]{53}")


class Passwords:
    """One per process: its slots bound the memory of simultaneous hashing."""

    def __init__(self, settings: Settings, *, slots: int | None = None, max_wait: float = MAX_WAIT_SECONDS) -> None:
        self._min_length = settings.password_min_length
        self._hasher = PasswordHasher(
            time_cost=settings.argon2_time_cost,
            memory_cost=settings.argon2_memory_kib,
            parallelism=settings.argon2_parallelism,
            type=Type.ID,
        )
        self._dummy = _unmatched_hash(self._hasher)
        self._slots, self._max_wait = BoundedSemaphore(slots or os.cpu_count() or 1), max_wait
        self._least_seconds = settings.failed_login_seconds
        self._slowest = 0.0

    def hash(self, password: str) -> str:
        """Raises Unavailable if no slot becomes free in time."""
        with self._slot():
            return self._hasher.hash(_secret(password))

    def verify(self, stored: str | None, password: str) -> bool:
        """False without a usable hash, after the time of a real one. Raises Unavailable as ``hash`` does."""
        if len(password) > MAX_RAW_LENGTH:
            stored, password = None, ""
        with self._slot():
            clock = time.monotonic if self._lanes(stored or "") > 1 else time.thread_time
            started = clock()
            try:
                return self._matches(stored or "", password)
            except VerifyMismatchError:
                return False
            except (Argon2Error, ValueError):
                return self._refuse_slowly(password)
            finally:
                self._slowest = max(self._slowest, clock() - started)

    def pad(self, started: float) -> None:
        """Wait until a failed sign-in has taken as long as one with any kind of hash, since ``time.monotonic()``."""
        if self._least_seconds:
            least = max(self._least_seconds, min(self._slowest * MARGIN, MAX_PAD_SECONDS))
            time.sleep(max(0.0, started + least - time.monotonic()))

    def needs_rehash(self, stored: str) -> bool:
        """True unless it is an Argon2id hash with the current parameters."""
        try:
            return self._hasher.check_needs_rehash(stored)
        except ValueError:
            return True

    def policy(self) -> dict[str, int]:
        """The rules that a form can show beforehand; lengths are in characters."""
        return {"min_length": self._min_length, "max_length": MAX_LENGTH, "min_zxcvbn_score": 1}

    def check_acceptable(self, password: str, email: str | None, field: str = "password") -> None:
        """Raises Invalid for ``field``. Characters are counted after NFKC (NIST SP 800-63B)."""
        if not _is_storable(password):
            raise Invalid.field(field, "Contains a character that is not allowed.")
        text = _normalized(password) if len(password) <= MAX_RAW_LENGTH else password
        if len(text) < self._min_length:
            raise Invalid.field(field, f"Must have at least {self._min_length} characters.")
        if len(text) > MAX_LENGTH:
            raise Invalid.field(field, f"Must have at most {MAX_LENGTH} characters.")
        if text.casefold() in _names(email or ""):
            raise Invalid.field(field, "Must not be the e-mail address or its first part.")
        if _is_guessable(text):
            raise Invalid.field(field, "Is too easy to guess.")

    @contextmanager
    def _slot(self) -> Iterator[None]:
        if not self._slots.acquire(timeout=self._max_wait):
            raise Unavailable("Too many passwords are being checked. Try again in a moment.")
        try:
            yield
        finally:
            self._slots.release()

    def _lanes(self, stored: str) -> int:
        """One: this thread's seconds of the processor, which a busy machine does not prolong, are the time of a hash.

        More of them compute in threads of their own, which only the clock on the wall tells.
        """
        if _legacy_verifier(stored) is not None:
            return 1
        with suppress(ValueError):
            return max(extract_parameters(stored).parallelism, self._hasher.parallelism)
        return self._hasher.parallelism

    def _matches(self, stored: str, password: str) -> bool:
        legacy = _legacy_verifier(stored)
        if legacy is None:
            _check_affordable(stored)
            return self._hasher.verify(stored, _secret(password))
        forms = dict.fromkeys((password, _normalized(password)))
        return any(legacy(stored, form) for form in forms)

    def _refuse_slowly(self, password: str) -> bool:
        with suppress(Argon2Error):
            self._hasher.verify(self._dummy, _secret(password))
        return False


def _unmatched_hash(hasher: PasswordHasher) -> str:
    """A random digest in the PHC string format. To verify it takes as long as a real one, to make it no time."""
    salt, digest = (
        b64encode(secrets.token_bytes(size)).decode().rstrip("=") for size in (hasher.salt_len, hasher.hash_len)
    )
    cost = f"m={hasher.memory_cost},t={hasher.time_cost},p={hasher.parallelism}"
    return f"$argon2id$v={ARGON2_VERSION}${cost}${salt}${digest}"


def _check_affordable(stored: str) -> None:
    """Raises ValueError for what is no Argon2 hash, or one of too much cost."""
    cost = extract_parameters(stored)
    if cost.memory_cost > MAX_MEMORY_KIB or cost.time_cost > MAX_PASSES or cost.parallelism > MAX_LANES:
        raise ValueError("The hash costs too much.")


def _legacy_verifier(stored: str) -> Callable[[str, str], bool] | None:
    if PBKDF2.fullmatch(stored) or _is_affordable_scrypt(stored):
        return check_password_hash
    return _bcrypt_matches if BCRYPT.fullmatch(stored) else None


def _is_affordable_scrypt(stored: str) -> bool:
    """It takes 128 N r bytes, and time in proportion to N r p (RFC 7914 section 2)."""
    match = SCRYPT.fullmatch(stored)
    if match is None:
        return False
    n, r, p = map(int, match.groups())
    return n <= MAX_SCRYPT_N and n * r * p * 128 <= MAX_MEMORY_KIB * 1024


def _bcrypt_matches(stored: str, password: str) -> bool:
    """Truncates the password, as every bcrypt did before the library refused longer ones."""
    return bcrypt.checkpw(password.encode()[:BCRYPT_BYTES], stored.encode())


def _normalized(password: str) -> str:
    return unicodedata.normalize("NFKC", password)


def _secret(password: str) -> bytes:
    """No stored password has a lone surrogate, but a comparison with one must not fail."""
    return _normalized(password).encode(errors="surrogatepass")


def _is_storable(password: str) -> bool:
    return "\x00" not in password and not any("\ud800" <= character <= "\udfff" for character in password)


def _names(email: str) -> set[str]:
    address = _normalized(email).strip().casefold()
    return {address, address.rpartition("@")[0]}


def _is_guessable(password: str) -> bool:
    # Imported here: its word lists take 14 MB, and most processes never set a password.
    from zxcvbn import zxcvbn

    crowded = len(AMBIGUOUS_SYMBOLS.intersection(password)) > ZXCVBN_MAX_SYMBOLS
    estimate: dict[str, Any] = zxcvbn(password[: ZXCVBN_SYMBOL_LENGTH if crowded else ZXCVBN_LENGTH])
    return bool(estimate["score"] == 0)
