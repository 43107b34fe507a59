"""Further nodes of one machine: each in a network namespace of its own, joined to the machine by one veth pair.

The namespace is held by a bind mount of its file, so it lasts while the node's agent is away and its pods run on. The
agent process enters it before it starts anything else, so its threads, its `nft` and its pods' host side are all in
there. The machine routes between its nodes; both ends of a pair are /32 addresses, so nothing is bridged and any number
of nodes share one gateway address. Needs CAP_NET_ADMIN and CAP_SYS_ADMIN.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path

from proa.base.journal import Journal
from proa.linux.mounts import MS_BIND, mount
from proa.linux.namespaces import NEWNET, bring_loopback_up, setns, unshare
from proa.linux.netns import THREAD_NETNS, entered
from proa.net import names
from proa.net import rtnetlink as rt

_UPLINK = "eth0"
_MTU = 1500
_DEFAULT = IPv4Network("0.0.0.0/0")
_FORWARD = Path("/proc/sys/net/ipv4/ip_forward")


@dataclass(frozen=True, slots=True)
class NodeNamespace:
    """file: where the namespace is held. address: the node's; gateway: the machine's towards all of its nodes."""

    cluster: str
    number: int
    file: Path
    address: IPv4Address
    gateway: IPv4Address

    @property
    def link(self) -> str:
        """The machine's end of the pair."""
        return names.node_link(self.cluster, self.number)


def enter(node: NodeNamespace, journal: Journal) -> None:
    """Move the calling process into the node's namespace, making what of it is missing. Call before any thread runs."""
    machine = os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC)
    try:
        if not _enter_existing(node.file):
            _make(node.file, journal)
        own = os.open(THREAD_NETNS, os.O_RDONLY | os.O_CLOEXEC)
        try:
            with entered(machine):
                _join(node, own, journal)
        finally:
            os.close(own)
        _set_up_inside(node)
    finally:
        os.close(machine)


def _enter_existing(file: Path) -> bool:
    """Whether the namespace was there; after a reboot the file is a plain one, which cannot be entered."""
    try:
        descriptor = os.open(file, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return False
    try:
        setns(descriptor, NEWNET)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
        return False
    finally:
        os.close(descriptor)
    return True


def _make(file: Path, journal: Journal) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.touch()
    unshare(NEWNET)
    journal.record("mount", str(file))
    mount(THREAD_NETNS, str(file), "", MS_BIND)


def _join(node: NodeNamespace, own: int, journal: Journal) -> None:
    """In the machine's namespace: the pair, the gateway's address on it, the way to the node."""
    socket = rt.Socket()
    try:
        journal.record("link", node.link)
        with suppress(FileExistsError):
            socket.send(rt.new_veth(node.link, _UPLINK, netns=own, mtu=_MTU))
        index = socket.link(node.link).index
        socket.send(rt.new_address(index, IPv4Interface(f"{node.gateway}/32")))
        socket.send(rt.link_up(index))
        socket.send(rt.new_route(rt.Route(IPv4Network(f"{node.address}/32"), link=index)))
        _FORWARD.write_text("1")
    finally:
        socket.close()


def _set_up_inside(node: NodeNamespace) -> None:
    bring_loopback_up()
    socket = rt.Socket()
    try:
        index = socket.link(_UPLINK).index
        socket.send(rt.new_address(index, IPv4Interface(f"{node.address}/32")))
        socket.send(rt.link_up(index))
        socket.send(rt.new_route(rt.Route(IPv4Network(f"{node.gateway}/32"), link=index)))
        socket.send(rt.new_route(rt.Route(_DEFAULT, gateway=node.gateway, link=index, source=node.address)))
    finally:
        socket.close()
