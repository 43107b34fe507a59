"""rtnetlink (rtnetlink(7)) over a plain AF_NETLINK socket: the few messages a pod network needs.

Own code because a pod's start waits for it: pyroute2 costs 150 ms and 24 MB to import (CPython 3.11), this 1 ms, and
messages are sent in batches, so that a whole veth pair is one system call. Requests are values (`Request`); `Socket`
sends them and raises OSError with the kernel's error number. Blocking (tens of microseconds; longer while another
process holds the kernel's RTNL lock), so it is used in a worker thread. Not here: what the links are for.
"""

from __future__ import annotations

import os
import socket
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network

IFF_UP = 0x1
AF_INET = int(socket.AF_INET)

# linux/rtnetlink.h
_NEWLINK, _DELLINK, _GETLINK, _SETLINK = 16, 17, 18, 19
_NEWADDR, _GETADDR = 20, 22
_NEWROUTE, _DELROUTE, _GETROUTE = 24, 25, 26
_ERROR, _DONE = 2, 3
_REQUEST, _ACK, _DUMP = 0x1, 0x4, 0x300
_REPLACE, _EXCL, _CREATE = 0x100, 0x200, 0x400

# linux/if_link.h
_IFLA_ADDRESS, _IFLA_IFNAME, _IFLA_MTU, _IFLA_MASTER, _IFLA_LINKINFO = 1, 3, 4, 10, 18
_IFLA_NET_NS_FD = 28
_INFO_KIND, _INFO_DATA, _INFO_SLAVE_KIND, _INFO_SLAVE_DATA = 1, 2, 4, 5
_VETH_INFO_PEER = 1
_BRPORT_ISOLATED = 33
_NESTED = 0x8000

# linux/if_addr.h, rtnetlink.h
_IFA_ADDRESS, _IFA_LOCAL = 1, 2
_RTA_DST, _RTA_OIF, _RTA_GATEWAY, _RTA_PREFSRC = 1, 4, 5, 7
_TABLE_MAIN, _ROUTE_UNICAST, _SCOPE_UNIVERSE, _SCOPE_LINK = 254, 1, 0, 253
ROUTE_PROTOCOL = 112
"""rtm_protocol of routes made here: an unassigned number (/etc/iproute2/rt_protos), to tell them from others'."""

_HEADER = struct.Struct("=IHHII")
_ATTRIBUTE = struct.Struct("=HH")
_LINK = struct.Struct("=BxHiII")
_ADDRESS = struct.Struct("=BBBBI")
_ROUTE = struct.Struct("=BBBBBBBBI")


@dataclass(frozen=True, slots=True)
class Request:
    """One message: its type, flags beyond REQUEST and ACK, body, and words for an error message."""

    kind: int
    flags: int
    body: bytes
    what: str


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


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(4 + len(value), kind) + value + bytes(-len(value) % 4)


def _nested(kind: int, *values: bytes) -> bytes:
    return _attribute(kind | _NESTED, b"".join(values))


def _text(kind: int, value: str) -> bytes:
    return _attribute(kind, value.encode() + b"\0")


def _u32(kind: int, value: int) -> bytes:
    return _attribute(kind, struct.pack("=I", value))


def _attributes(data: bytes, offset: int) -> dict[int, bytes]:
    found = {}
    while offset + 4 <= len(data):
        length, kind = _ATTRIBUTE.unpack_from(data, offset)
        if length < 4:
            break
        found[kind & ~_NESTED] = data[offset + 4 : offset + length]
        offset += (length + 3) & ~3
    return found


def _link_header(index: int = 0, *, up: bool = False) -> bytes:
    return _LINK.pack(0, 0, index, IFF_UP if up else 0, IFF_UP if up else 0)


def new_bridge(name: str, mtu: int) -> Request:
    """Create a bridge that is up. EEXIST when the name is taken."""
    body = _link_header(up=True) + _text(_IFLA_IFNAME, name) + _u32(_IFLA_MTU, mtu)
    return Request(
        _NEWLINK, _CREATE | _EXCL, body + _nested(_IFLA_LINKINFO, _text(_INFO_KIND, "bridge")), f"bridge {name}"
    )


def new_dummy(name: str) -> Request:
    """Create a dummy link that is up. EEXIST when the name is taken."""
    body = _link_header(up=True) + _text(_IFLA_IFNAME, name)
    return Request(
        _NEWLINK, _CREATE | _EXCL, body + _nested(_IFLA_LINKINFO, _text(_INFO_KIND, "dummy")), f"dummy {name}"
    )


def new_veth(name: str, peer: str, *, netns: int, master: int, mtu: int) -> Request:
    """Create a pair: `name` here, up, a port of the bridge `master`; `peer`, down, in the namespace open as `netns`.

    The kernel refuses a peer that is created up (ENOTCONN: its other half does not exist yet).
    """
    other = _link_header() + _text(_IFLA_IFNAME, peer) + _u32(_IFLA_MTU, mtu) + _u32(_IFLA_NET_NS_FD, netns)
    info = _nested(
        _IFLA_LINKINFO, _text(_INFO_KIND, "veth"), _nested(_INFO_DATA, _attribute(_VETH_INFO_PEER | _NESTED, other))
    )
    body = _link_header(up=True) + _text(_IFLA_IFNAME, name) + _u32(_IFLA_MTU, mtu) + _u32(_IFLA_MASTER, master)
    return Request(_NEWLINK, _CREATE | _EXCL, body + info, f"veth {name}")


def isolate_port(name: str) -> Request:
    """Stop the bridge from passing frames between this port and other isolated ports."""
    slave = _nested(_INFO_SLAVE_DATA, _attribute(_BRPORT_ISOLATED, b"\x01"))
    info = _nested(_IFLA_LINKINFO, _text(_INFO_SLAVE_KIND, "bridge"), slave)
    return Request(_NEWLINK, 0, _link_header() + _text(_IFLA_IFNAME, name) + info, f"bridge port {name}")


def link_up(index: int) -> Request:
    return Request(_SETLINK, 0, _link_header(index, up=True), f"link {index} up")


def delete_link(name: str) -> Request:
    """Delete a link and its veth peer. ENODEV when there is none."""
    return Request(_DELLINK, 0, _link_header() + _text(_IFLA_IFNAME, name), f"delete link {name}")


def new_address(index: int, address: IPv4Interface) -> Request:
    """Give the link an address; again is fine. The kernel adds the route to its network when the prefix is < 32."""
    packed = address.ip.packed
    body = _ADDRESS.pack(AF_INET, address.network.prefixlen, 0, _SCOPE_UNIVERSE, index)
    body += _attribute(_IFA_LOCAL, packed) + _attribute(_IFA_ADDRESS, packed)
    return Request(_NEWADDR, _CREATE | _REPLACE, body, f"address {address}")


def _route_body(route: Route) -> bytes:
    scope = _SCOPE_UNIVERSE if route.gateway is not None else _SCOPE_LINK
    body = _ROUTE.pack(
        AF_INET, route.destination.prefixlen, 0, 0, _TABLE_MAIN, route.protocol, scope, _ROUTE_UNICAST, 0
    )
    if route.destination.prefixlen:
        body += _attribute(_RTA_DST, route.destination.network_address.packed)
    if route.gateway is not None:
        body += _attribute(_RTA_GATEWAY, route.gateway.packed)
    if route.link:
        body += _u32(_RTA_OIF, route.link)
    if route.source is not None:
        body += _attribute(_RTA_PREFSRC, route.source.packed)
    return body


def new_route(route: Route) -> Request:
    """Make the route, or replace the one of the same destination."""
    return Request(_NEWROUTE, _CREATE | _REPLACE, _route_body(route), f"route {route.destination}")


def delete_route(route: Route) -> Request:
    """ESRCH when there is none."""
    return Request(_DELROUTE, 0, _route_body(route), f"delete route {route.destination}")


class Socket:
    """A netlink socket of the network namespace the calling thread is in. Not shared between threads."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE)
        self._socket.bind((0, 0))
        self._sequence = 0

    def close(self) -> None:
        self._socket.close()

    def __enter__(self) -> Socket:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def send(self, *requests: Request) -> None:
        """Send all in one system call; the kernel does them in order. OSError of the first that failed.

        The kernel goes on after a failed message, so later ones may have been done.
        """
        first = self._sequence + 1
        self._sequence += len(requests)
        self._socket.send(
            b"".join(
                _HEADER.pack(16 + len(r.body), r.kind, r.flags | _REQUEST | _ACK, first + n, 0)
                + r.body
                + bytes(-len(r.body) % 4)
                for n, r in enumerate(requests)
            )
        )
        failed: OSError | None = None
        waiting = len(requests)
        while waiting:
            for kind, sequence, body in self._receive():
                if kind != _ERROR or sequence < first:
                    continue
                waiting -= 1
                (error,) = struct.unpack_from("=i", body)
                if error and failed is None:
                    failed = OSError(-error, f"{requests[sequence - first].what}: {os.strerror(-error)}")
        if failed is not None:
            raise failed

    def links(self) -> list[Link]:
        """Every link of the namespace."""
        return [self._link(body) for body in self._dump(_GETLINK, _link_header())]

    def link(self, name: str) -> Link:
        """The link of this name. OSError ENODEV when there is none."""
        self._sequence += 1
        body = _link_header() + _text(_IFLA_IFNAME, name)
        self._socket.send(_HEADER.pack(16 + len(body), _GETLINK, _REQUEST, self._sequence, 0) + body)
        while True:
            for kind, sequence, reply in self._receive():
                if sequence != self._sequence:
                    continue
                if kind == _NEWLINK:
                    return self._link(reply)
                (error,) = struct.unpack_from("=i", reply)
                raise OSError(-error, f"link {name}: {os.strerror(-error)}")

    def addresses(self) -> list[tuple[int, IPv4Interface]]:
        """(link index, address) of every IPv4 address."""
        found = []
        for body in self._dump(_GETADDR, _ADDRESS.pack(AF_INET, 0, 0, 0, 0)):
            _, prefix, _, _, index = _ADDRESS.unpack_from(body)
            values = _attributes(body, _ADDRESS.size)
            packed = values.get(_IFA_LOCAL) or values[_IFA_ADDRESS]
            found.append((index, IPv4Interface((packed, prefix))))
        return found

    def routes(self) -> list[Route]:
        """The unicast IPv4 routes of the main table."""
        found = []
        for body in self._dump(_GETROUTE, _ROUTE.pack(AF_INET, 0, 0, 0, 0, 0, 0, 0, 0)):
            _, prefix, _, _, table, protocol, _, kind, _ = _ROUTE.unpack_from(body)
            if table != _TABLE_MAIN or kind != _ROUTE_UNICAST:
                continue
            values = _attributes(body, _ROUTE.size)
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
        values = _attributes(body, _LINK.size)
        info = _attributes(values.get(_IFLA_LINKINFO, b""), 0)
        return Link(
            index,
            values[_IFLA_IFNAME].rstrip(b"\0").decode(),
            flags,
            int.from_bytes(values[_IFLA_MTU], "little"),
            int.from_bytes(values.get(_IFLA_MASTER, b""), "little"),
            info.get(_INFO_KIND, b"").rstrip(b"\0").decode(),
        )

    def _dump(self, kind: int, body: bytes) -> Iterator[bytes]:
        self._sequence += 1
        self._socket.send(_HEADER.pack(16 + len(body), kind, _REQUEST | _DUMP, self._sequence, 0) + body)
        replies: list[bytes] = []
        while True:
            for reply, sequence, data in self._receive():
                if sequence != self._sequence:
                    continue
                if reply == _DONE:
                    return iter(replies)
                if reply == _ERROR:
                    (error,) = struct.unpack_from("=i", data)
                    raise OSError(-error, os.strerror(-error))
                replies.append(data)

    def _receive(self) -> Iterator[tuple[int, int, bytes]]:
        data = self._socket.recv(1 << 17)
        offset = 0
        while offset + 16 <= len(data):
            length, kind, _, sequence, _ = _HEADER.unpack_from(data, offset)
            yield kind, sequence, data[offset + 16 : offset + length]
            offset += (length + 3) & ~3
