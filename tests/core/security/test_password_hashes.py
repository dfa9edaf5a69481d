"""Hashes of passwords, made here and elsewhere."""

from time import thread_time

import bcrypt
import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from app.config.environment import load_settings
from app.core.security.passwords import MAX_RAW_LENGTH, Passwords
from tests.core.security.hashing import GOOD, LEGACY, PASSWORDS, passwords
from tests.support.rows import by_row

ARGON2 = "$argon2id$v=19$m=64,t=1,p=1$"


def test_a_hash_is_argon2id_with_the_parameters_of_the_settings() -> None:
    stored = passwords(ARGON2_MEMORY_KIB="128", ARGON2_TIME_COST="3", ARGON2_PARALLELISM="2").hash(GOOD)

    found = extract_parameters(stored)
    assert found.type is Type.ID
    assert (found.memory_cost, found.time_cost, found.parallelism) == (128, 3, 2)


def test_the_default_parameters_are_19_mib_two_passes_one_lane() -> None:
    stored = Passwords(load_settings({"JWT_SECRET": "a-secret-for-tests"})).hash(GOOD)

    assert stored.startswith("$argon2id$v=19$m=19456,t=2,p=1$")


def test_only_the_right_password_verifies() -> None:
    stored = PASSWORDS.hash(GOOD)

    assert PASSWORDS.verify(stored, GOOD)
    for wrong in ("", GOOD + " ", GOOD.lower(), GOOD[:-1], GOOD + "\x00", "\ud800"):
        assert not PASSWORDS.verify(stored, wrong)


def test_the_same_password_has_two_hashes() -> None:
    assert PASSWORDS.hash(GOOD) != PASSWORDS.hash(GOOD)


@by_row(
    ("typed_then", "typed_now"),
    [("café quarry velvet", "cafe\u0301 quarry velvet"), ("ﬁddle ① quarry", "fiddle 1 quarry"), ("Åkesson", "Åkesson")],
)
def test_a_password_verifies_however_its_characters_are_composed(typed_then: str, typed_now: str) -> None:
    assert PASSWORDS.verify(PASSWORDS.hash(typed_then), typed_now)
    assert PASSWORDS.verify(PASSWORDS.hash(typed_now), typed_then)


def test_128_characters_count_to_the_last() -> None:
    stored = PASSWORDS.hash("é" * 127 + "x")

    assert PASSWORDS.verify(stored, "é" * 127 + "x")
    assert not PASSWORDS.verify(stored, "é" * 127 + "y")


@by_row(
    "stored",
    [
        None,
        "",
        "!",
        "x" * 10_000,
        "\x00",
        "\ud800",
        "é",
        "$argon2id$",
        ARGON2,
        ARGON2 + "c2FsdHNhbHQ$",
        ARGON2 + "c2FsdHNhbHQ$\x00",
        "$argon2id$v=19$m=x,t=1,p=1$c2FsdHNhbHQ$aGFzaA",
        "$argon2id$v=19$m=99999999999,t=1,p=1$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "$argon2id$v=19$m=8,t=0,p=99999999$c2FsdHNhbHQ$aGFzaGhhc2hoYXNo",
        "pbkdf2:sha256:0$salt$00",
        "pbkdf2:sha256:-1$salt$00",
        "pbkdf2:sha256:99999999999999999999$salt$00",
        "pbkdf2:md4:1$salt$00",
        "pbkdf2:sha256$salt$00",
        "pbkdf2:sha256:1000$salt$é",
        "pbkdf2:sha256:١٠٠$salt$00",
        "pbkdf2:sha256:1000$\ud800$00",
        "scrypt:0:0:0$salt$00",
        "scrypt:3:8:1$salt$00",
        "scrypt:9999999:999:99$salt$00",
        "scrypt:99999999999999999999:8:1$salt$00",
        "scrypt:a:b:c$salt$00",
        "scrypt$salt$00",
        "plain$salt$00",
        "sha1$salt$00",
        "$2b$",
        "$2b$31$" + "." * 53,
        "$2b$04$" + "." * 52,
        "$2b$04$" + "9" * 53,
        "$2x$04$" + "." * 53,
        "$2b$04$" + "é" * 53,
        "$6$salt$hash",
    ],
)
@by_row("password", [GOOD, "", "\ud800", "\x00", "x" * 5000])
def test_a_stored_text_that_is_no_hash_verifies_nothing(stored: str | None, password: str) -> None:
    assert PASSWORDS.verify(stored, password) is False
    assert PASSWORDS.needs_rehash(stored or "") is True


@hypothesis_settings(max_examples=150, deadline=None)
@given(
    st.sampled_from(["", "$argon2id$", ARGON2, "pbkdf2:sha256:10$", "scrypt:16:1:1$", "$2b$04$"]),
    st.text(st.characters(), max_size=60),
)
def test_no_stored_text_raises(start: str, rest: str) -> None:
    assert PASSWORDS.verify(start + rest, GOOD) is False
    assert PASSWORDS.needs_rehash(start + rest)


def test_a_password_longer_than_any_real_one_is_not_even_normalized() -> None:
    stored = PASSWORDS.hash("x" * (MAX_RAW_LENGTH + 1))

    assert not PASSWORDS.verify(stored, "x" * (MAX_RAW_LENGTH + 1))


def fastest(ours: Passwords, stored: str | None) -> float:
    """Seconds of the processor, which a busy machine disturbs least, in the quickest of several rounds."""
    rounds = []
    for _ in range(7):
        start = thread_time()
        assert not ours.verify(stored, "not the right one")
        rounds.append(thread_time() - start)
    return min(rounds)


@by_row("stored", [None, "", "!", "$argon2id$v=19$broken", "\x00", "$2b$04$" + "9" * 53])
def test_no_usable_hash_takes_as_long_as_a_wrong_password(stored: str | None) -> None:
    ours = passwords(ARGON2_MEMORY_KIB="8192", ARGON2_TIME_COST="2")

    wrong, absent = fastest(ours, ours.hash(GOOD)), fastest(ours, stored)

    assert 0.5 < absent / wrong < 2


SALT = "c2FsdHNhbHRzYWx0c2FsdA"
DIGEST = "aGFzaGhhc2hoYXNoaGFzaGhhc2hoYXNoaGFzaGhhc2g"


@by_row(
    "stored",
    [
        f"$argon2id$v=19$m=262145,t=10,p=1${SALT}${DIGEST}",
        f"$argon2id$v=19$m=65536,t=400,p=1${SALT}${DIGEST}",
        f"$argon2i$v=19$m=65536,t=400,p=1${SALT}${DIGEST}",
        f"$argon2d$m=262145,t=10,p=1${SALT}${DIGEST}",
        "scrypt:524288:8:1$salt$" + "00" * 64,
        "scrypt:262144:16:1$salt$" + "00" * 64,
        "scrypt:131072:8:24$salt$" + "00" * 64,
        "scrypt:16384:8:99$salt$" + "00" * 64,
        "pbkdf2:sha512:9999999$salt$" + "00" * 64,
        "$2b$16$" + "." * 53,
        "$2b$31$" + "." * 53,
    ],
)
def test_a_hash_beyond_the_ceilings_is_not_computed(stored: str) -> None:
    started = thread_time()

    assert PASSWORDS.verify(stored, GOOD) is False
    # Each of them takes more than a second.
    assert thread_time() - started < 0.5


@by_row(("passes", "lanes", "verifies"), [(10, 1, True), (11, 1, False), (1, 64, True), (1, 65, False)])
def test_a_right_password_does_not_verify_by_a_hash_beyond_the_ceilings(
    passes: int, lanes: int, verifies: bool
) -> None:
    stored = PasswordHasher(passes, 8 * lanes, lanes).hash(GOOD)

    assert PASSWORDS.verify(stored, GOOD) is verifies


@by_row("stored", LEGACY, ids=range(len(LEGACY)))
def test_a_hash_of_werkzeug_or_bcrypt_verifies_and_wants_to_be_made_anew(stored: str) -> None:
    assert PASSWORDS.verify(stored, GOOD)
    assert PASSWORDS.needs_rehash(stored)
    for wrong in ("", GOOD + "x", GOOD.lower(), "\ud800", "\x00"):
        assert not PASSWORDS.verify(stored, wrong)


def test_a_known_hash_of_another_implementation_verifies() -> None:
    """The vector of the original crypt_blowfish tests."""
    stored = "$2a$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW"

    assert PASSWORDS.verify(stored, "U*U")
    assert not PASSWORDS.verify(stored, "U*V")


@by_row("password", ["x" * 200, "é" * 40 + "tail", "x" * 71 + "é"])
def test_bcrypt_reads_72_bytes_as_it_always_did(password: str) -> None:
    stored = bcrypt.hashpw(password.encode()[:72], bcrypt.gensalt(4)).decode()

    assert PASSWORDS.verify(stored, password)
    assert not PASSWORDS.verify(stored, "y" + password)


@pytest.mark.parametrize("made_from", ["cafe\u0301 ①", "café 1"])
def test_an_older_hash_verifies_in_the_form_it_was_made_from_or_normalized(made_from: str) -> None:
    by_werkzeug = generate_password_hash(made_from, "pbkdf2:sha256:1000")
    by_bcrypt = bcrypt.hashpw(made_from.encode(), bcrypt.gensalt(4)).decode()

    assert PASSWORDS.verify(by_werkzeug, "cafe\u0301 ①") is True
    assert PASSWORDS.verify(by_bcrypt, "cafe\u0301 ①") is True


def test_only_an_argon2id_hash_with_the_current_parameters_may_stay() -> None:
    stored = PASSWORDS.hash(GOOD)

    assert not PASSWORDS.needs_rehash(stored)
    assert passwords(ARGON2_TIME_COST="2").needs_rehash(stored)
    assert passwords(ARGON2_MEMORY_KIB="128").needs_rehash(stored)
    assert passwords(ARGON2_MEMORY_KIB="64", ARGON2_PARALLELISM="2").needs_rehash(stored)
    assert PASSWORDS.needs_rehash(PasswordHasher(1, 64, 1, type=Type.I).hash(GOOD))


def test_a_hash_with_former_parameters_still_verifies() -> None:
    assert passwords(ARGON2_TIME_COST="2", ARGON2_MEMORY_KIB="256").verify(PASSWORDS.hash(GOOD), GOOD)
