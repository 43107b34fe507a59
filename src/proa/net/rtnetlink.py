"""rtnetlink (rtnetlink(7)): the few messages a pod network needs, and readers of what is there.

Own code because a pod's start waits for it: pyroute2 costs 150 ms and 24 MB to import (CPython 3.11), this 1 ms, and
messages are sent in batches, so that a whole veth pair is one system call. Blocking (tens of microseconds; longer while
another process holds the kernel's RTNL lock), so it is used in a worker thread. Not here: what the links are for.
"""

from __future__ import annotations

import socket
import struct
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

from proa.net import netlink
from proa.net.netlink import CREATE, EXCL, REPLACE, Request, attribute, attributes, nested, text, u32

IFF_UP = 0x1
AF_INET = int(socket.AF_INET)

# linux/rtnetlink.h
_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _DELADDR, _GETADDR = 20, 21, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26

# linux/if_link.h
_IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 3, 4, 10, 18
_IFLA_AF_SPEC, _IFLA_GROUP, _IFLA_NET_NS_FD = 26, 27, 28
_INFO_KIND, _INFO_DATA = 1, 2
_VETH_INFO_PEER = 1
_INET_CONF, _ROUTE_LOCALNET = 1, 26

# linux/if_addr.h, rtnetlink.h
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_TABLE_MAIN, _ROUTE_UNICAST, _SCOPE_UNIVERSE, _SCOPE_LINK = 254, 1, 0, 253
ROUTE_PROTOCOL = 112
"""rtm_protocol of routes made here: an unassigned number (/etc/iproute2/rt_protos), to tell them from others'."""

_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")


@dataclass(frozen=True, slots=True)
class Link:
    """One link of the socket's network namespace. `master` is the index of the bridge it is a port of, or 0."""

    index: int
    name: str
    flags: int
    mtu: int
    master: int = 0
    kind: str = ""

    @property
    def up(self) -> bool:
        return bool(self.flags & IFF_UP)


@dataclass(frozen=True, slots=True)
class Route:
    """A unicast route of the main table; destination 0.0.0.0/0 is the default route."""

    destination: IPv4Network
    gateway: IPv4Address | None = None
    link: int = 0
    source: IPv4Address | None = None
    protocol: int = ROUTE_PROTOCOL


def _link_header(index: int = 0, *, up: bool = False) -> bytes:
    return _LINK.pack(0, 0, index, IFF_UP if up else 0, IFF_UP if up else 0)


def new_bridge(name: str, mtu: int) -> Request:
    """Create a bridge that is up. EEXIST when the name is taken."""
    body = _link_header(up=True) + text(_IFLA_IFNAME, name) + u32(_IFLA_MTU, mtu)
    return Request(_NEWLINK, CREATE | EXCL, body + nested(_IFLA_LINKINFO, text(_INFO_KIND, "bridge")), f"bridge {name}")


def new_veth(name: str, peer: str, *, netns: int, mtu: int) -> Request:
    """Create a pair: `name` here, up; `peer`, down, in the namespace open as `netns`.

    The kernel refuses a peer that is created up (ENOTCONN: its other half does not exist yet).
    """
    other = _link_header() + text(_IFLA_IFNAME, peer) + u32(_IFLA_MTU, mtu) + u32(_IFLA_NET_NS_FD, netns)
    info = nested(_IFLA_LINKINFO, text(_INFO_KIND, "veth"), nested(_INFO_DATA, nested(_VETH_INFO_PEER, other)))
    body = _link_header(up=True) + text(_IFLA_IFNAME, name) + u32(_IFLA_MTU, mtu)
    return Request(_NEWLINK, CREATE | EXCL, body + info, f"veth {name}")


def route_localnet(index: int) -> Request:
    """Let 127.0.0.0/8 be routed over the link (the sysctl of this name), for node ports on localhost."""
    configuration = nested(_INET_CONF, u32(_ROUTE_LOCALNET, 1))
    body = _link_header(index) + nested(_IFLA_AF_SPEC, nested(AF_INET, configuration))
    return Request(_SETLINK, 0, body, f"link {index} route_localnet")


def link_up(index: int) -> Request:
    return Request(_SETLINK, 0, _link_header(index, up=True), f"link {index} up")


def delete_link(name: str) -> Request:
    """Delete a link and its veth peer. ENODEV when there is none."""
    return Request(_DELLINK, 0, _link_header() + text(_IFLA_IFNAME, name), f"delete link {name}")


def set_group(name: str, group: int) -> Request:
    """Put the link into a group. ENODEV when there is none."""
    return Request(_SETLINK, 0, _link_header() + text(_IFLA_IFNAME, name) + u32(_IFLA_GROUP, group), f"link {name}")


def delete_group(group: int) -> Request:
    """Delete every link of the group, at the cost of one. ENODEV when there is none."""
    return Request(_DELLINK, 0, _link_header() + u32(_IFLA_GROUP, group), f"delete links of group {group}")


def _address_body(index: int, address: IPv4Interface) -> bytes:
    packed = address.ip.packed
    body = _ADDRESS.pack(AF_INET, address.network.prefixlen, 0, _SCOPE_UNIVERSE, index)
    return body + attribute(_IFA_LOCAL, packed) + attribute(_IFA_ADDRESS, packed)


def new_address(index: int, address: IPv4Interface) -> Request:
    """Give the link an address; again is fine. The kernel adds the route to its network when the prefix is < 32."""
    return Request(_NEWADDR, CREATE | REPLACE, _address_body(index, address), f"address {address}")


def delete_address(index: int, address: IPv4Interface) -> Request:
    """EADDRNOTAVAIL when the link does not have it."""
    return Request(_DELADDR, 0, _address_body(index, address), f"delete address {address}")


def _route_body(route: Route) -> bytes:
    scope = _SCOPE_UNIVERSE if route.gateway is not None else _SCOPE_LINK
    body = _ROUTE.pack(
        AF_INET, route.destination.prefixlen, 0, 0, _TABLE_MAIN, route.protocol, scope, _ROUTE_UNICAST, 0
    )
    if route.destination.prefixlen:
        body += attribute(_RTA_DST, route.destination.network_address.packed)
    if route.gateway is not None:
        body += attribute(_RTA_GATEWAY, route.gateway.packed)
    if route.link:
        body += u32(_RTA_OIF, route.link)
    if route.source is not None:
        body += attribute(_RTA_PREFSRC, route.source.packed)
    return body


def new_route(route: Route) -> Request:
    """Make the route, or replace the one of the same destination."""
    return Request(_NEWROUTE, CREATE | REPLACE, _route_body(route), f"route {route.destination}")


def delete_route(route: Route) -> Request:
    """ESRCH when there is none."""
    return Request(_DELROUTE, 0, _route_body(route), f"delete route {route.destination}")


class Socket(netlink.Socket):
    """A rtnetlink socket of the network namespace the calling thread is in. Not shared between threads."""

    def __init__(self) -> None:
        super().__init__(socket.NETLINK_ROUTE)

    def links(self) -> list[Link]:
        """Every link of the namespace."""
        return [self._link(body) for body in self.dump(Request(_GETLINK, 0, _link_header(), "list links"))]

    def link(self, name: str) -> Link:
        """The link of this name. OSError ENODEV when there is none."""
        body = _link_header() + text(_IFLA_IFNAME, name)
        return self._link(self.ask(Request(_GETLINK, 0, body, f"link {name}")))

    def addresses(self) -> list[tuple[int, IPv4Interface]]:
        """(link index, address) of every IPv4 address."""
        found = []
        for body in self.dump(Request(_GETADDR, 0, _ADDRESS.pack(AF_INET, 0, 0, 0, 0), "list addresses")):
            _, prefix, _, _, index = _ADDRESS.unpack_from(body)
            values = attributes(body, _ADDRESS.size)
            packed = values.get(_IFA_LOCAL) or values[_IFA_ADDRESS]
            found.append((index, IPv4Interface((packed, prefix))))
        return found

    def routes(self) -> list[Route]:
        """The unicast IPv4 routes of the main table."""
        found = []
        for body in self.dump(Request(_GETROUTE, 0, _ROUTE.pack(AF_INET, 0, 0, 0, 0, 0, 0, 0, 0), "list routes")):
            _, prefix, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(body)
            if table != _TABLE_MAIN or kind != _ROUTE_UNICAST:
                continue
            values = attributes(body, _ROUTE.size)
            gateway, source = values.get(_RTA_GATEWAY), values.get(_RTA_PREFSRC)
            found.append(
                Route(
                    IPv4Network((values.get(_RTA_DST, bytes(4)), prefix)),
                    IPv4Address(gateway) if gateway else None,
                    int.from_bytes(values.get(_RTA_OIF, b""), "little"),
                    IPv4Address(source) if source else None,
                    protocol,
                )
            )
        return found

    @staticmethod
    def _link(body: bytes) -> Link:
        _, _, index, flags, _ = _LINK.unpack_from(body)
        values = attributes(body, _LINK.size)
        info = attributes(values.get(_IFLA_LINKINFO, b""), 0)
        return Link(
            index,
            values[_IFLA_IFNAME].rstrip(b"\0").decode(),
            flags,
            int.from_bytes(values[_IFLA_MTU], "little"),
            int.from_bytes(values.get(_IFLA_MASTER, b""), "little"),
            info.get(_INFO_KIND, b"").rstrip(b"\0").decode(),
        )
