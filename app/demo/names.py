"""Names of people and businesses, the same in every run and without repetition."""

import unicodedata
from collections.abc import Iterator
from itertools import count, product
from pathlib import Path

import yaml

_TEXTS = yaml.safe_load(Path(__file__).with_suffix(".yml").read_text(encoding="utf-8"))
NAMES: dict[str, list[str]] = {kind: names.split(", ") for kind, names in _TEXTS.items()}


def shuffled_pairs(first: str, second: str, start: int) -> Iterator[tuple[str, str]]:
    """All pairs of two kinds of names, once before any repeats, in an order that looks random."""
    pairs = list(product(NAMES[first], NAMES[second]))
    for number in count(start):
        # A prime that divides no length of these lists, so that every pair comes once before any repeats.
        yield pairs[number * 739 % len(pairs)]


def people(start: int) -> Iterator[tuple[str, str]]:
    return shuffled_pairs("first", "last", start)


def slug(*words: str) -> str:
    """Lower-case ASCII for an address: Zoë Núñez → zoe.nunez."""
    plain = unicodedata.normalize("NFKD", ".".join(words)).encode("ascii", "ignore").decode()
    return plain.replace(" ", "-").lower()


def phone_number(number: int) -> str:
    """A number from the range that the British regulator reserves for fiction."""
    return f"+44 20 7946 0{number % 1000:03}"


def street(number: int) -> str:
    """A street with a house number."""
    streets = NAMES["streets"]
    return f"{number % 97 + 1} {streets[number % len(streets)]}"


def address(number: int, place: str) -> str:
    return f"{street(number)}, {place}"
