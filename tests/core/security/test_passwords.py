"""Which passwords are taken, which hashes verify, and what hashing may cost at once."""

from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from time import perf_counter, thread_time

import bcrypt
import pytest
from argon2 import PasswordHasher, Type, extract_parameters
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from werkzeug.security import generate_password_hash

from app.base.errors import Invalid, Unavailable
from app.config.environment import load_settings
from app.core.security.passwords import MAX_RAW_LENGTH, MAX_WAIT_SECONDS, Passwords
from tests.support.marks import flaky
from tests.support.rows import by_row

CHEAP = {"ARGON2_MEMORY_KIB": "64", "ARGON2_TIME_COST": "1"}
GOOD = "Tr0mbone-quarry-velvet"
EMAIL = "alice.liddell@acme.example"
ARGON2 = "$argon2id$v=19$m=64,t=1,p=1$"


def passwords(**environ: str) -> Passwords:
    return Passwords(load_settings({"JWT_SECRET": "a-secret-for-tests", **CHEAP, **environ}))


PASSWORDS = passwords()


def refusal(password: str, email: str | None = EMAIL, field: str = "password") -> str:
    with pytest.raises(Invalid) as found:
        PASSWORDS.check_acceptable(password, email, field)
    assert found.value.errors is not None
    [message] = found.value.errors[field]
    return str(message)


# Which passwords are acceptable


@by_row("password", ["", "a", "7tGv!qZ", "é" * 7, "e\u0301" * 7])
def test_fewer_characters_than_the_minimum_are_refused(password: str) -> None:
    assert refusal(password) == "Must have at least 8 characters."


@by_row("password", [f"{GOOD}{'x' * 128}", "\ufdfa" * 8, "x" * 1_000_000, "가" * 1025])
def test_more_than_128_characters_are_refused(password: str) -> None:
    assert refusal(password) == "Must have at most 128 characters."


def test_characters_are_counted_after_normalization() -> None:
    """Each syllable is three characters before NFKC and one after it; one ligature is eighteen."""
    composed = "한국말금강산봄날"
    decomposed = "".join(chr(0x1100 + i) + chr(0x1161 + i) + chr(0x11A8 + i) for i in range(16)) * 8

    PASSWORDS.check_acceptable(composed, EMAIL)
    PASSWORDS.check_acceptable(decomposed, EMAIL)
    assert len(decomposed) == 3 * 128
    assert refusal(composed[:-1]) == "Must have at least 8 characters."
    assert refusal(decomposed + "x") == "Must have at most 128 characters."


def test_the_minimum_is_a_setting() -> None:
    strict = passwords(PASSWORD_MIN_LENGTH="30")

    with pytest.raises(Invalid):
        strict.check_acceptable(GOOD, EMAIL)
    strict.check_acceptable(GOOD + GOOD, EMAIL)


@by_row("place", ["{}" + GOOD, GOOD + "{}", "Tr0mbone{}quarry"])
@by_row("code", [0, 0xD800, 0xDBFF, 0xDC00, 0xDFFF])
def test_a_character_that_no_database_stores_is_refused(place: str, code: int) -> None:
    assert refusal(place.format(chr(code))) == "Contains a character that is not allowed."


@by_row(
    "password",
    [
        "alice.liddell@acme.example",
        "ALICE.LIDDELL@ACME.EXAMPLE",
        "alice.liddell",
        "Alice.Liddell",
        "ａｌｉｃｅ．ｌｉｄｄｅｌｌ",
    ],
)
@by_row("email", [EMAIL, EMAIL.upper(), f" {EMAIL} "])
def test_the_email_and_its_local_part_are_refused(password: str, email: str) -> None:
    assert refusal(password, email) == "Must not be the e-mail address or its first part."


def test_a_password_that_only_contains_the_local_part_is_taken() -> None:
    PASSWORDS.check_acceptable("alice.liddell looks through a glass", EMAIL)


@by_row(
    "password",
    ["password", "12345678", "qwertyuiop", "aaaaaaaaaaaa", "P@ssw0rd", "abcabcabcabc", "a" * 128, "password" * 16],
)
def test_a_password_that_zxcvbn_scores_0_is_refused(password: str) -> None:
    assert refusal(password) == "Is too easy to guess."


@by_row(
    "password",
    [
        GOOD,
        "correct horse battery staple",
        "        x y z 3 k",
        "пароль-на-каждый-день",
        "密码安全很重要对吧",
        "🦊🐙🌵🧭🪁🛰🧬🪐",
        "ıİ" * 10 + "quarry",
        "\t\x01\x7f\u202e quarry velvet",
        "Tr0mbone-quarry-velvet" * 5,
    ],
)
@by_row("email", [EMAIL, "", None])
def test_any_unicode_is_taken_without_composition_rules(password: str, email: str | None) -> None:
    PASSWORDS.check_acceptable(password, email)

    assert PASSWORDS.verify(PASSWORDS.hash(password), password)


def test_the_refusal_names_the_field_of_the_request() -> None:
    assert refusal("short", field="password1") == "Must have at least 8 characters."


@hypothesis_settings(max_examples=150, deadline=None)
@given(st.text(st.characters(), min_size=8, max_size=140))
def test_no_text_makes_the_check_fail_otherwise(password: str) -> None:
    try:
        PASSWORDS.check_acceptable(password, EMAIL)
    except Invalid:
        return
    assert PASSWORDS.verify(PASSWORDS.hash(password), password)


@by_row("password", ["4@8({[<369&#!1/|70$5+%2" * 5, "@4({[<69!1|7$5+" * 8, "aA1!" * 32])
def test_a_text_made_to_keep_the_estimate_busy_is_still_quick(password: str) -> None:
    """As a whole, the first one takes 1.7 s; the part that zxcvbn reads took 0.17 s."""
    start = thread_time()

    PASSWORDS.check_acceptable(password, EMAIL)

    assert thread_time() - start < 1.0


def test_the_policy_tells_what_a_form_can_check() -> None:
    assert passwords(PASSWORD_MIN_LENGTH="12").policy() == {"min_length": 12, "max_length": 128, "min_zxcvbn_score": 1}


# Hashing and verifying


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


# Hashes that were made elsewhere


LEGACY = [
    generate_password_hash(GOOD, "pbkdf2:sha256:1000"),
    generate_password_hash(GOOD, "pbkdf2:sha1:1000"),
    generate_password_hash(GOOD, "pbkdf2:sha512:1000"),
    generate_password_hash(GOOD, "scrypt:1024:8:1"),
    generate_password_hash(GOOD),
    bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(4, b"2b")).decode(),
    bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(4, b"2a")).decode(),
    bcrypt.hashpw(GOOD.encode(), bcrypt.gensalt(4)).decode().replace("$2b$", "$2y$", 1),
]


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


# A burst


def burst(ours: Passwords, size: int) -> list[bool]:
    """True for each hashing that got a slot, when all ask at once."""
    together = Barrier(size)

    def one(_: int) -> bool:
        together.wait()
        try:
            return ours.hash(GOOD).startswith("$argon2id$")
        except Unavailable:
            return False

    with ThreadPoolExecutor(size) as pool:
        return list(pool.map(one, range(size)))


def slow(max_wait: float = MAX_WAIT_SECONDS) -> Passwords:
    settings = load_settings({"JWT_SECRET": "x" * 40, "ARGON2_MEMORY_KIB": "8192", "ARGON2_TIME_COST": "20"})
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
