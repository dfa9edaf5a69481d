"""Forms of text for comparison, patterns of refused text, and words of generated names."""

import re
import unicodedata
from uuid import UUID

from app.base.errors import InvalidId


def fold(text: str) -> str:
    """The form of a text for comparing, sorting and searching, the same on every database."""
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).casefold())


def printable(text: str) -> str:
    """Text that UTF-8 can encode, with question marks for lone surrogates."""
    return text.encode("utf-8", "replace").decode()


MOST_MARKS = 30
_TOO_MANY_MARKS = re.compile(f"(?:M[cen]){{{MOST_MARKS + 1}}}")


def has_long_run_of_marks(text: str) -> bool:
    """More than 30 combining marks in a row, the bound of UAX #15 section 13. Normalization holds the interpreter,
    for a time quadratic in the length of such a run."""
    return not text.isascii() and _TOO_MANY_MARKS.search("".join(map(unicodedata.category, text))) is not None


CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
CANONICAL_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def normalize_email(text: str) -> str:
    """One form for one mailbox: trimmed, NFC, lower case, and the domain in its A-labels."""
    address = unicodedata.normalize("NFC", unicodedata.normalize("NFC", text).strip().lower())
    local, at, domain = address.rpartition("@")
    return local + at + _a_labels(domain)


MAX_DOMAIN = 253


def _a_labels(domain: str) -> str:
    """IDNA 2008 (RFC 5891), mapped by UTS 46 first, as browsers do. What cannot be a domain stays as it is."""
    if domain.isascii() or len(domain) > MAX_DOMAIN or not domain.isprintable():
        return domain
    # Its tables take memory that few processes need.
    import idna

    try:
        return idna.encode(domain, uts46=True).decode()
    except (idna.IDNAError, UnicodeError):
        return domain


def parse_id(text: str) -> UUID:
    """Raises InvalidId."""
    if not CANONICAL_UUID.fullmatch(text):
        raise InvalidId()
    return UUID(text)


ARTICLES = ("a", "an", "the")


def words(name: str) -> str:
    """``UserRole`` → ``user role``"""
    return re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()


def pascal(phrase: str) -> str:
    """``position of a unit`` → ``PositionOfUnit``"""
    return "".join(word.capitalize() for word in phrase.split() if word not in ARTICLES)


def article(noun: str) -> str:
    return "an" if noun[0] in "aeio" else "a"
