"""What a ruleset does with a connection, told without a kernel: for tests, for simulated nodes, for a person who asks.

The reference for both back ends: who they send where, who is masqueraded, who is refused. Session affinity is not
traced: it narrows the targets of one client over time.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from ipaddress import IPv4Address, IPv4Network

from proa.proxy.plan import ProxyOptions, Ruleset, ServicePort, Target


class Fate(Enum):
    """PASS: not a service's; the packet goes where it was sent."""

    PASS = "pass"
    TRANSLATED = "translated"
    REFUSED = "refused"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True)
class Connection:
    """`to_node`: the destination is one of the node's own addresses; `from_node`: so is the source."""

    source: str
    destination: str
    port: int
    protocol: str = "TCP"
    to_node: bool = False
    from_node: bool = False


@dataclass(frozen=True, slots=True)
class Trace:
    """`masqueraded`: under every target; a pod that is sent to itself is masqueraded in any case."""

    fate: Fate
    targets: tuple[Target, ...] = ()
    masqueraded: bool = False
    service_port: ServicePort | None = None


def trace(ruleset: Ruleset, options: ProxyOptions, connection: Connection) -> Trace:
    """The fate of a new connection on this node."""
    ports = [port for port in ruleset.ports if port.protocol == connection.protocol]
    for port in ports:
        if (port.cluster_ip, port.port) == (connection.destination, connection.port):
            outside = options.masquerade_all or (bool(options.cluster_cidr) and not _inside(connection, options))
            return _lead(port, port.internal_targets, outside)
    for port in ports:
        if connection.port == port.port and connection.destination in port.external_addresses:
            return _external(port, options, connection)
    if any(port.cluster_ip == connection.destination for port in ruleset.ports):
        return Trace(Fate.REFUSED)
    localhost = IPv4Address(connection.destination).is_loopback
    if connection.to_node and (options.localhost_node_ports or not localhost):
        for port in ports:
            if port.node_port == connection.port:
                return _external(port, options, connection)
    return Trace(Fate.PASS)


def _external(port: ServicePort, options: ProxyOptions, connection: Connection) -> Trace:
    guarded = connection.destination in port.load_balancer_ips and port.source_ranges and port.targets
    source = IPv4Address(connection.source)
    if guarded and not any(source in IPv4Network(allowed) for allowed in port.source_ranges):
        return Trace(Fate.DROPPED, service_port=port)
    if not port.external_local:
        return _lead(port, port.targets, True)
    if _inside(connection, options):
        return _lead(port, port.targets, False)
    if connection.from_node:
        return _lead(port, port.targets, True)
    return _lead(port, port.local_targets, False)


def _lead(port: ServicePort, targets: tuple[Target, ...], masqueraded: bool) -> Trace:
    if targets:
        return Trace(Fate.TRANSLATED, targets, masqueraded, port)
    return Trace(Fate.DROPPED if port.targets else Fate.REFUSED, service_port=port)


def _inside(connection: Connection, options: ProxyOptions) -> bool:
    return bool(options.cluster_cidr) and IPv4Address(connection.source) in IPv4Network(options.cluster_cidr)
