"""The network that a request comes from."""

import ipaddress

UNKNOWN = "unknown"


def network_of(address: str | None, ipv4_prefix: int, ipv6_prefix: int = 64) -> str:
    """The network of an address: that many bits of it; "unknown" without one.

    One client usually holds a whole /64. An IPv4-mapped IPv6 address counts as IPv4.
    """
    try:
        ip = ipaddress.ip_address(address or "")
    except ValueError:
        return UNKNOWN
    if isinstance(ip, ipaddress.IPv6Address) and ip.ipv4_mapped:
        ip = ip.ipv4_mapped
    return str(ipaddress.ip_network((ip.packed, ipv4_prefix if ip.version == 4 else ipv6_prefix), strict=False))
