"""Which addresses are public: not in the user's own network, nor on this machine."""

from ipaddress import IPv4Address, IPv6Network, ip_address
from typing import Final

# Global unicast (RFC 4291 2.4): other IPv6 addresses are local, reserved or multicast.
_UNICAST: Final = IPv6Network("2000::/3")
# A translator turns these into the IPv4 address in their last 32 bits (RFC 6052 2.1).
_NAT64: Final = IPv6Network("64:ff9b::/96")


def is_public(text: str) -> bool:
    """Return True if an address, as getaddrinfo writes it, is reachable on the internet.

    An IPv6 address that stands for an IPv4 address is as public as that one (IPv4-mapped,
    NAT64). 6to4 and Teredo addresses are not public: ipaddress counts them as private.
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast
    if address.ipv4_mapped is not None:
        return is_public(str(address.ipv4_mapped))
    if address in _NAT64:
        return is_public(str(IPv4Address(int(address) & 0xFFFFFFFF)))
    return address.is_global and address in _UNICAST
