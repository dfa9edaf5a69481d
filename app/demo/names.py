"""Names of people and businesses, the same in every run and without repetition."""

import unicodedata
from collections.abc import Iterator
from itertools import count, product


def split_list(text: str) -> list[str]:
    return [name.strip() for name in text.split(",")]


FIRST = split_list(
    """Adaeze, Agnès, Amara, Anton, Astrid, Beatriz, Björn, Camille, Chiara, Daniel, Deepa, Élodie, Emeka, Farah,
    Felix, Freya, Gabriel, Hana, Hugo, Ingrid, Isaac, Jasmin, Jonas, Kaito, Léa, Lucía, Malik, Mei, Mikael, Nadia,
    Noah, Olga, Omar, Paulo, Priya, Renée, Samuel, Sofia, Tomás, Zoë"""
)
LAST = split_list(
    """Abbott, Almeida, Andersen, Baptiste, Bauer, Bergström, Castillo, Chen, Costa, Diallo, Dubois, Eriksen,
    Fernández, Fischer, Fontaine, Grant, Gruber, Haddad, Hansen, Hughes, Ivanova, Jansen, Kaur, Keller, Kimura,
    Lambert, Lefèvre, Lindqvist, Maes, Mbeki, Mendes, Moreau, Müller, Nakamura, Núñez, Okafor, Olsen, Park, Patel,
    Petit, Quinn, Rossi, Santos, Schneider, Silva, Tanaka, Thomas, Vidal, Weber, Yilmaz"""
)
PLACES = split_list(
    """Aldermoor, Brackwater, Cinderholt, Dunhollow, Eastmere, Fennwick, Greyholt, Hollowbrook, Inverlath, Junhaven,
    Kestrow, Larkmoor, Mistvale, Nettlehurst, Oakhollow, Pinemere, Quarrymoor, Ravensholt, Silverfen, Thornmere,
    Umberfield, Violmoor, Wrenfield, Yarrowby"""
)
BUSINESSES = split_list(
    "Bakery, Breweries, Ceramics, Dairy, Furniture, Instruments, Paper Mill, Pharmacy, Printing, Textiles"
)
TRADES = split_list(
    "Catering, Cleaning, Crane Hire, Haulage, IT Support, Maintenance, Scaffolding, Security, Surveying, Translation"
)
STREETS = split_list("Harbour Street, Mill Lane, Station Road, Market Square, Chapel Hill, Foundry Row, Orchard Way")


def shuffled_pairs(first: list[str], second: list[str], start: int) -> Iterator[tuple[str, str]]:
    """All pairs in an order that looks random. Different starts give different pairs until all are used."""
    pairs = list(product(first, second))
    for number in count(start):
        # A prime that divides no length of these lists, so that every pair comes once before any repeats.
        yield pairs[number * 739 % len(pairs)]


def people(start: int) -> Iterator[tuple[str, str]]:
    return shuffled_pairs(FIRST, LAST, start)


def businesses(start: int) -> Iterator[tuple[str, str]]:
    """Place and line of business of each customer."""
    return shuffled_pairs(PLACES, BUSINESSES, start)


def trades(start: int) -> Iterator[tuple[str, str]]:
    """Place and trade of each subcontractor."""
    return shuffled_pairs(PLACES, TRADES, start)


def slug(*words: str) -> str:
    """Lower-case ASCII for an address: Zoë Núñez → zoe.nunez."""
    plain = unicodedata.normalize("NFKD", ".".join(words)).encode("ascii", "ignore").decode()
    return plain.replace(" ", "-").lower()


def phone_number(number: int) -> str:
    """A number from the range that the British regulator reserves for fiction."""
    return f"+44 20 7946 0{number % 1000:03}"


def address(number: int, place: str) -> str:
    return f"{number % 97 + 1} {STREETS[number % len(STREETS)]}, {place}"
