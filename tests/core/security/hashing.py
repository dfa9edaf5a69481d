"""Passwords with other parameters than those of the tests."""

import bcrypt
from werkzeug.security import generate_password_hash

from app.config.environment import load_settings
from app.core.security.passwords import Passwords

CHEAP = {"ARGON2_MEMORY_KIB": "64", "ARGON2_TIME_COST": "1"}
GOOD = "Tr0mbone-quarry-velvet"


def passwords(**environ: str) -> Passwords:
    return Passwords(load_settings({"JWT_SECRET": "a-secret-for-tests", **CHEAP, **environ}))


PASSWORDS = passwords()
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
