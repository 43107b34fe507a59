"""`ip('10.0.0.1')` and `cidr('10.0.0.0/8')` with what can be asked of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Any, ClassVar

from proa.lang.cel.cost import TRAVERSAL, Estimate, Fixed, Operand, Range, Traversal, exactly, scaled
from proa.lang.cel.errors import EvaluationError
from proa.lang.cel.functions import Library, function, member, overload
from proa.lang.cel.types import BOOL, INT, STRING, Type, opaque
from proa.lang.cel.values import charged_size
from proa.machinery.fields import quoted

IP_TYPE = opaque("net.IP")
CIDR_TYPE = opaque("net.CIDR")

_LINK_LOCAL_MULTICAST = (IPv4Network("224.0.0.0/24"), IPv6Network("ff02::/16"))
# Go looks at the second byte's low half only: ff02, ff12, ff22, ... are all link-local.
_LINK_LOCAL_SCOPE = 2


@dataclass(frozen=True, slots=True)
class Ip:
    address: IPv4Address | IPv6Address
    cel_type: ClassVar[Type] = IP_TYPE

    @property
    def cel_size(self) -> int:
        return len(self.address.packed)


@dataclass(frozen=True, slots=True)
class Cidr:
    """address: as written; the network is what remains of it behind the mask."""

    address: IPv4Address | IPv6Address
    length: int
    cel_type: ClassVar[Type] = CIDR_TYPE

    @property
    def cel_size(self) -> int:
        return len(self.address.packed)

    @property
    def network(self) -> IPv4Network | IPv6Network:
        return ip_network((self.address, self.length), strict=False)

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


def _ip(text: str) -> Ip:
    failed = f"ParseAddr({quoted(text)}): unable to parse IP"
    what = f"IP Address {quoted(text)} parse error during conversion from string: {failed}"
    if "%" in text:
        raise EvaluationError(f"IP address {quoted(text)} with zone value is not allowed")
    return Ip(_address(text, what))


def _address(text: str, otherwise: str) -> IPv4Address | IPv6Address:
    try:
        address = ip_address(text)
    except ValueError:
        raise EvaluationError(otherwise) from None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        raise EvaluationError(f"IPv4-mapped IPv6 address {quoted(text)} is not allowed")
    return address


def _cidr(text: str) -> Cidr:
    prefix = "network address parse error during conversion from string: "
    what = f"{prefix}{prefix}netip.ParsePrefix({quoted(text)})"
    head, slash, length = text.partition("/")
    if not slash:
        raise EvaluationError(f"{what}: no '/'")
    if "%" in head:
        raise EvaluationError(f"{what}: IPv6 zones cannot be present in a prefix")
    address = _address(head, f"{what}: ParseAddr({quoted(head)}): unable to parse IP")
    if not (length.isascii() and length.isdigit()) or (len(length) > 1 and length.startswith("0")):
        raise EvaluationError(f"{what}: bad bits after slash: {quoted(length)}")
    if len(length) > 3 or int(length) > address.max_prefixlen:
        raise EvaluationError(f"{what}: prefix length out of range")
    return Cidr(address, int(length))


def _valid(of: Callable[[str], Any]) -> Callable[[str], bool]:
    def valid(text: str) -> bool:
        try:
            of(text)
        except EvaluationError:
            return False
        return True

    return valid


is_ip, is_cidr = _valid(_ip), _valid(_cidr)


def _link_local_multicast(ip: Ip) -> bool:
    if isinstance(ip.address, IPv4Address):
        return ip.address in _LINK_LOCAL_MULTICAST[0]
    packed = ip.address.packed
    return packed[0] == 0xFF and packed[1] & 0x0F == _LINK_LOCAL_SCOPE


def _link_local_unicast(ip: Ip) -> bool:
    return ip.address.is_link_local


def _global_unicast(ip: Ip) -> bool:
    address = ip.address
    broadcast = isinstance(address, IPv4Address) and int(address) == 0xFFFFFFFF
    return not (
        broadcast or address.is_unspecified or address.is_loopback or address.is_multicast or address.is_link_local
    )


def _contains_ip(cidr: Cidr, ip: Ip) -> bool:
    return ip.address.version == cidr.address.version and ip.address in cidr.network


def _contains_cidr(cidr: Cidr, other: Cidr) -> bool:
    return (
        cidr.address.version == other.address.version
        and cidr.length <= other.length
        and _contains_ip(cidr, Ip(other.network.network_address))
    )


@dataclass(frozen=True, slots=True)
class _Containment:
    """Two addresses are compared. parsed: the second one has to be read first. masked: and the network made."""

    parsed: bool
    masked: bool = False

    def actual(self, operands: Sequence[Any], result: Any) -> int:
        size = charged_size(operands[0])
        cost = scaled(2 * size, TRAVERSAL)
        if self.masked:
            cost += scaled(size, TRAVERSAL) + 1
        return cost + (scaled(charged_size(operands[1]), TRAVERSAL) if self.parsed else 0)

    def estimate(self, operands: Sequence[Operand]) -> Estimate:
        size = Range(4, 16)
        cost = size.plus(size).by(TRAVERSAL)
        if self.masked:
            cost = cost.plus(size.by(TRAVERSAL)).plus(exactly(1))
        return Estimate(cost.plus(operands[1].size.by(TRAVERSAL)) if self.parsed else cost)


_NOMINAL = Fixed()
_READ = Traversal()


def _ask(name: str, of: Callable[[Ip], bool]) -> Any:
    return function(name, member(f"ip_{name}", (IP_TYPE,), BOOL, of), cost=_NOMINAL)


NETWORKS = Library(
    (
        function(
            "ip",
            overload("string_to_ip", (STRING,), IP_TYPE, _ip, _READ),
            member("cidr_ip", (CIDR_TYPE,), IP_TYPE, lambda each: Ip(each.address), _NOMINAL),
        ),
        function("isIP", overload("is_ip", (STRING,), BOOL, is_ip), cost=_READ),
        function(
            "ip.isCanonical",
            overload("ip_is_canonical", (STRING,), BOOL, lambda each: str(_ip(each).address) == each),
            cost=Traversal(0, 2 * TRAVERSAL),
        ),
        function("family", member("ip_family", (IP_TYPE,), INT, lambda each: each.address.version), cost=_NOMINAL),
        _ask("isUnspecified", lambda each: each.address.is_unspecified),
        _ask("isLoopback", lambda each: each.address.is_loopback),
        _ask("isLinkLocalMulticast", _link_local_multicast),
        _ask("isLinkLocalUnicast", _link_local_unicast),
        _ask("isGlobalUnicast", _global_unicast),
        function(
            "string",
            overload("ip_to_string", (IP_TYPE,), STRING, lambda each: str(each.address)),
            overload("cidr_to_string", (CIDR_TYPE,), STRING, str),
        ),
        function("cidr", overload("string_to_cidr", (STRING,), CIDR_TYPE, _cidr), cost=_READ),
        function("isCIDR", overload("is_cidr", (STRING,), BOOL, is_cidr), cost=_READ),
        function(
            "containsIP",
            member(
                "cidr_contains_ip_string",
                (CIDR_TYPE, STRING),
                BOOL,
                lambda a, b: _contains_ip(a, _ip(b)),
                _Containment(parsed=True),
            ),
            member("cidr_contains_ip_ip", (CIDR_TYPE, IP_TYPE), BOOL, _contains_ip, _Containment(parsed=False)),
        ),
        function(
            "containsCIDR",
            member(
                "cidr_contains_cidr_string",
                (CIDR_TYPE, STRING),
                BOOL,
                lambda a, b: _contains_cidr(a, _cidr(b)),
                _Containment(parsed=True, masked=True),
            ),
            member(
                "cidr_contains_cidr",
                (CIDR_TYPE, CIDR_TYPE),
                BOOL,
                _contains_cidr,
                _Containment(parsed=False, masked=True),
            ),
        ),
        function(
            "prefixLength", member("cidr_prefix_length", (CIDR_TYPE,), INT, lambda each: each.length), cost=_NOMINAL
        ),
        function(
            "masked",
            member(
                "cidr_masked", (CIDR_TYPE,), CIDR_TYPE, lambda each: Cidr(each.network.network_address, each.length)
            ),
            cost=_NOMINAL,
        ),
    ),
    {IP_TYPE.name: IP_TYPE, CIDR_TYPE.name: CIDR_TYPE},
)
