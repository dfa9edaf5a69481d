"""Addresses that limits and attempts are counted by."""

from app.base.network import network_of
from tests.support.rows import by_row


@by_row(
    ("address", "narrow", "wide"),
    [
        ("198.51.100.7", "198.51.100.7/32", "198.51.100.0/24"),
        ("::ffff:198.51.100.7", "198.51.100.7/32", "198.51.100.0/24"),
        ("2001:db8:0:1::7", "2001:db8:0:1::/64", "2001:db8:0:1::/64"),
        ("2001:db8:0:1:ffff::9", "2001:db8:0:1::/64", "2001:db8:0:1::/64"),
        ("2001:db8:0:2::7", "2001:db8:0:2::/64", "2001:db8:0:2::/64"),
        ("::1", "::/64", "::/64"),
        ("fe80::1%eth0", "fe80::/64", "fe80::/64"),
        *((address, "unknown", "unknown") for address in (None, "", "unix:", "not an address", "1.2.3.4.5")),
    ],
)
def test_an_address_counts_as_its_network(address: str | None, narrow: str, wide: str) -> None:
    assert (network_of(address, 32), network_of(address, 24)) == (narrow, wide)
