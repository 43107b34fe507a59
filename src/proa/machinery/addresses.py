"""What the texts of IP addresses and networks may look like.

Fields that came early take any spelling that means one address and one network; later ones take the canonical spelling
only. Each check returns the list of what is wrong, in the words clients know.
"""

from __future__ import annotations

import re
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Interface, IPv6Network, ip_interface
from ipaddress import ip_address as parsed_address

from proa.machinery.fields import quoted

_NO_ADDRESS = "must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)"
_LINK_LOCAL_MULTICAST: tuple[IPv4Network | IPv6Network, ...] = (IPv4Network("224.0.0.0/24"), IPv6Network("ff02::/16"))
_NO_NETWORK = "must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)"


def ip_address(value: str) -> list[str]:
    """IPv4 or IPv6, without a zone and without what other programs might read differently."""
    address = _address(without_zeros(value))
    if address is None:
        return [_NO_ADDRESS]
    if _address(value) is None:
        return ["must not have leading 0s"]
    return ["must not be an IPv4-mapped IPv6 address"] if _mapped(address) else []


def endpoint_address(value: str) -> list[str]:
    """An address somebody else can be reached at. Loopback addresses pass: a host without a network has no other."""
    address = _address(without_zeros(value))
    if address is None:
        return [_NO_ADDRESS]
    problems = ip_address(value)
    if address.is_unspecified:
        problems.append(f"may not be unspecified ({value})")
    if address.is_link_local:
        problems.append("may not be in the link-local range (169.254.0.0/16, fe80::/10)")
    if any(address.version == each.version and address in each for each in _LINK_LOCAL_MULTICAST):
        problems.append("may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)")
    return problems


def canonical_ip_address(value: str) -> list[str]:
    """An address as everybody writes it: lower case, shortened."""
    problems = ip_address(value)
    address = _address(value)
    if not problems and str(address) != value:
        problems.append(f"must be in canonical form ({quoted(str(address))})")
    return problems


def cidr(value: str) -> list[str]:
    """A network: an address, a slash and the length of the prefix, behind which no bit is set."""
    if network_of(without_zeros(value)) is None:
        return [_NO_NETWORK]
    if network_of(value) is None:
        return ["must not have leading 0s in IP or prefix length"]
    interface = ip_interface(value)
    if _mapped(interface.ip):
        return ["must not have an IPv4-mapped IPv6 address"]
    if interface.ip != interface.network.network_address:
        return ["must not have bits set beyond the prefix length"]
    return []


def canonical_cidr(value: str) -> list[str]:
    """A network as everybody writes it."""
    problems = cidr(value)
    network = network_of(value)
    if not problems and str(network) != value:
        problems.append(f"must be in canonical form ({quoted(str(network))})")
    return problems


def network_of(value: str) -> IPv4Network | IPv6Network | None:
    """The network that a text means, bits behind the prefix aside; None where it means none."""
    if not re.fullmatch(r"[0-9a-fA-F:.]+/(0|[1-9][0-9]{0,2})", value):
        return None
    try:
        return ip_interface(value).network
    except ValueError:
        return None


def _address(value: str) -> IPv4Address | IPv6Address | None:
    try:
        return parsed_address(value if "%" not in value else "")
    except ValueError:
        return None


def _mapped(address: IPv4Address | IPv6Address | IPv6Interface) -> bool:
    return isinstance(address, IPv6Address) and address.ipv4_mapped is not None


def without_zeros(value: str) -> str:
    """`010.0.0.01/08` as `10.0.0.1/8`; parts of IPv6 addresses may have leading zeros."""
    if ":" in value:
        return re.sub(r"/0+(?=[0-9])", "/", value)
    return re.sub(r"(?<![0-9])0+(?=[0-9])", "", value)
