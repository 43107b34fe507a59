"""What clients are told of addresses and networks in fields that take more spellings than one.

A text that means nothing is validation's affair (`machinery.addresses`), and passes here.
"""

from __future__ import annotations

from functools import lru_cache
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface, ip_address, ip_interface

from proa.machinery.addresses import without_zeros
from proa.machinery.fields import Path, quoted


def address_warnings(value: str, path: Path) -> list[str]:
    """At most one: a spelling that other programs read as another address, or one that is not RFC 5952's."""
    said = _said_of_address(value)
    return [f"{path}: {said}"] if said else []


@lru_cache(4096)
def _said_of_address(value: str) -> str:
    """The same address is in every status of a pod and in many endpoints."""
    try:
        address = ip_address(without_zeros(value) if "%" not in value else "")
    except ValueError:
        return ""
    meant = _plain(address)
    if meant is not address or (address.version == 4 and str(address) != value):
        return f"non-standard IP address {quoted(value)} is invalid: use {quoted(str(meant))}"
    if str(address) != value:
        return f"IPv6 address {quoted(value)} should be in RFC 5952 canonical format ({quoted(str(address))})"
    return ""


def network_warnings(value: str, path: Path) -> list[str]:
    """Bits behind the prefix, and spellings that other programs read otherwise; else one that is not RFC 5952's."""
    try:
        interface = ip_interface(without_zeros(value) if "/" in value and "%" not in value else "")
    except ValueError:
        return []
    address, network = interface.ip, _network(interface)
    found = []
    if address != interface.network.network_address:
        alone = f"{_plain(address)}/{address.max_prefixlen}"
        found.append(
            f"{path}: CIDR value {quoted(value)} is ambiguous in this context (should be {quoted(network)} or "
            f"{quoted(alone)}?)"
        )
    if _plain(address) is not address or (address.version == 4 and str(interface) != value):
        found.append(f"{path}: non-standard CIDR value {quoted(value)} is invalid: use {quoted(network)}")
    if not found and str(interface) != value:
        found.append(
            f"{path}: IPv6 CIDR value {quoted(value)} should be in RFC 5952 canonical format ({quoted(str(interface))})"
        )
    return found


def _plain(address: IPv4Address | IPv6Address) -> IPv4Address | IPv6Address:
    """An IPv4 address that is written as an IPv6 one, as itself."""
    return (address.ipv4_mapped or address) if isinstance(address, IPv6Address) else address


def _network(interface: IPv4Interface | IPv6Interface) -> str:
    """The network as it should be written."""
    network = interface.network
    plain = _plain(network.network_address)
    return str(network) if plain is network.network_address else f"{plain}/{network.prefixlen - 96}"
