"""What the node's runtime asks of a pod network, as types.

The runtime (embedded sandboxes) attaches and detaches sandboxes; the composition of the node (proa.cluster, the agent)
sets the network up, tells it of its peers and tears it down. `proa.net.routed` is the default implementation; a CNI
conflist may be another. Nothing here opens a socket.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network
from pathlib import Path
from typing import Protocol

from proa.base.errors import ProaError


class NetworkError(ProaError):
    """A link, address, route or rule could not be made; the message names it and the kernel's reason."""


class AddressesExhausted(NetworkError):
    """The node's podCIDR has no free address left."""


class HostPort(Protocol):
    """A containerPort with a hostPort (core/v1 ContainerPort). `runtime.protocol.PortMapping` satisfies this.

    `protocol` is TCP, UDP or SCTP; `host_ip` empty or 0.0.0.0 means every local address.
    """

    @property
    def host_port(self) -> int: ...
    @property
    def container_port(self) -> int: ...
    @property
    def protocol(self) -> str: ...
    @property
    def host_ip(self) -> str: ...


@dataclass(frozen=True, slots=True)
class Peer:
    """Another node: its pods' network and the address that routes to them (Node.spec.podCIDR, InternalIP)."""

    pod_cidr: IPv4Network
    address: IPv4Address


@dataclass(frozen=True, slots=True)
class NetworkConfig:
    """One node's part of a cluster's pod network.

    pod_cidr: the node's own range (Node.spec.podCIDR); its first address is the gateway, on a link of its own.
    cluster_cidr: every node's pods; traffic to it is never masqueraded.
    service_cidr: routed to the gateway's link, so that processes of the host have a way (and a source address) to
        ClusterIPs even on a host without a default route; None leaves the route out.
    data_dir: where address assignments are kept; they survive a restart of the agent and of the machine.
    mtu: of the pods' links, bytes; None takes the smallest of the host's links that are up.
    """

    cluster: str
    pod_cidr: IPv4Network
    cluster_cidr: IPv4Network
    data_dir: Path
    service_cidr: IPv4Network | None = None
    mtu: int | None = None

    @property
    def gateway(self) -> IPv4Address:
        """The first address of `pod_cidr`."""
        return self.pod_cidr[1]


@dataclass(frozen=True, slots=True)
class PodAddresses:
    """The addresses of one sandbox, primary first (PodStatus.podIPs)."""

    ips: tuple[str, ...]


class PodNetwork(Protocol):
    """Puts sandboxes on the pod network. Every method is idempotent and safe to call again after a crash."""

    async def setup(self) -> None:
        """Make what the whole node shares (gateway, routes, rules). Raises NetworkError."""

    async def attach(
        self,
        sandbox_id: str,
        netns: Path,
        *,
        namespace: str,
        name: str,
        port_mappings: Sequence[HostPort] = (),
    ) -> PodAddresses:
        """Give the network namespace at `netns` (such as /proc/<pid>/ns/net) an eth0 with an address.

        A sandbox attached before keeps its address. Raises NetworkError; nothing is left behind then.
        """

    async def detach(self, sandbox_id: str) -> None:
        """Remove the sandbox's link, host ports and address. An unknown sandbox is fine."""

    async def retain(self, sandbox_ids: Iterable[str]) -> tuple[str, ...]:
        """Detach every known sandbox that is not in `sandbox_ids`; returns those detached. For an agent's start."""

    async def set_peers(self, peers: Iterable[Peer]) -> None:
        """Route to exactly these other nodes' pods."""

    async def check(self) -> tuple[str, ...]:
        """What is missing or wrong in the kernel, one sentence each; empty when all is well."""

    async def teardown(self) -> None:
        """Remove everything of this cluster in this network namespace, including links of unknown sandboxes."""

    def statistics(self) -> dict[str, float]:
        """Counters and gauges: attached sandboxes, free addresses, attaches, detaches, failures, seconds."""
