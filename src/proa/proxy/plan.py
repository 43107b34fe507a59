"""From Services and EndpointSlices to what the node does with their packets: pure values, no nftables.

`plan_service` turns one Service into its `ServicePort`s, each with the endpoints that count on this node, already
chosen by readiness, traffic policy and topology hints (KEP-1669, KEP-2086, KEP-2433). A `Ruleset` holds them all, and
a change of one service is a new ruleset that shares the rest, so a renderer sees by identity what is new. How
packets are led is `nft`'s (in the kernel) or `userspace`'s (without it). One address family: IPv4.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from proa.api.core_v1.service import Service
from proa.api.core_v1.service import ServicePort as ServicePortSpec
from proa.api.discovery_v1.types import Endpoint, EndpointSlice

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
PROXY_NAME_LABEL = "service.kubernetes.io/service-proxy-name"
HEADLESS_LABEL = "service.kubernetes.io/headless"
DEFAULT_AFFINITY_SECONDS = 10800


class ServiceKey(NamedTuple):
    namespace: str
    name: str


class Target(NamedTuple):
    """Where a connection is sent: a pod (or other endpoint) address and its port."""

    ip: str
    port: int


@dataclass(frozen=True, slots=True)
class ProxyOptions:
    """What of the node and the cluster decides. `zone` is the node's topology.kubernetes.io/zone, or empty.

    cluster_cidr: the pods of all nodes; packets to services from elsewhere are masqueraded, since replies must come
        back here; empty masquerades none by source.
    """

    node: str
    cluster_cidr: str = ""
    zone: str = ""
    masquerade_all: bool = False
    localhost_node_ports: bool = True


@dataclass(frozen=True, slots=True)
class ServicePort:
    """One port of one service: its front ends (addresses and ports clients use) and its targets.

    targets: under the policy Cluster; local_targets: those on this node, under the policy Local.
    source_ranges: who may use the load balancer's addresses (Service.spec.loadBalancerSourceRanges); empty: everyone.
    affinity_seconds: None without session affinity.
    """

    service: ServiceKey
    name: str
    protocol: str
    port: int
    cluster_ip: str
    node_port: int = 0
    external_ips: tuple[str, ...] = ()
    load_balancer_ips: tuple[str, ...] = ()
    source_ranges: tuple[str, ...] = ()
    targets: tuple[Target, ...] = ()
    local_targets: tuple[Target, ...] = ()
    internal_local: bool = False
    external_local: bool = False
    affinity_seconds: int | None = None

    @property
    def id(self) -> str:
        """Unique in the cluster: "<namespace>/<service>/<protocol>/<port name or number>"."""
        return f"{self.service.namespace}/{self.service.name}/{self.protocol.lower()}/{self.name or self.port}"

    @property
    def internal_targets(self) -> tuple[Target, ...]:
        """For connections to the cluster IP."""
        return self.local_targets if self.internal_local else self.targets

    @property
    def external_targets(self) -> tuple[Target, ...]:
        """For connections from outside of the cluster."""
        return self.local_targets if self.external_local else self.targets

    @property
    def external_addresses(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(self.external_ips + self.load_balancer_ips))


@dataclass(frozen=True, slots=True)
class Ruleset:
    """Every service port of the cluster as this node sees it."""

    services: Mapping[ServiceKey, tuple[ServicePort, ...]] = field(default_factory=dict)

    def with_services(self, changes: Mapping[ServiceKey, tuple[ServicePort, ...]]) -> Ruleset:
        """The ruleset in which these services have these ports; none takes one out. Same object if nothing changes."""
        changes = {key: ports for key, ports in changes.items() if self.services.get(key, ()) != ports}
        if not changes:
            return self
        services = {**self.services, **changes}
        return Ruleset({key: ports for key, ports in services.items() if ports} if () in changes.values() else services)

    @property
    def ports(self) -> tuple[ServicePort, ...]:
        """Every service port, by service and port."""
        return tuple(port for key in sorted(self.services) for port in self.services[key])


def plan(services: Iterable[Service], slices: Iterable[EndpointSlice], options: ProxyOptions) -> Ruleset:
    """The ruleset from everything there is."""
    by_service: dict[ServiceKey, list[EndpointSlice]] = {}
    for endpoint_slice in slices:
        key = slice_key(endpoint_slice)
        if key is not None:
            by_service.setdefault(key, []).append(endpoint_slice)
    planned = {}
    for service in services:
        key = ServiceKey(service.metadata.namespace, service.metadata.name)
        ports = plan_service(service, by_service.get(key, ()), options)
        if ports:
            planned[key] = ports
    return Ruleset(planned)


def slice_key(endpoint_slice: EndpointSlice) -> ServiceKey | None:
    """The service the slice belongs to, None when it says none."""
    name = endpoint_slice.metadata.labels.get(SERVICE_NAME_LABEL)
    return ServiceKey(endpoint_slice.metadata.namespace, name) if name else None


def plan_service(service: Service, slices: Iterable[EndpointSlice], options: ProxyOptions) -> tuple[ServicePort, ...]:
    """The service's ports on this node; empty for headless, ExternalName and services of another proxy."""
    spec, labels = service.spec, service.metadata.labels
    if spec.type == "ExternalName" or PROXY_NAME_LABEL in labels or HEADLESS_LABEL in labels:
        return ()
    cluster_ip = next(iter(_ipv4(spec.clusterIPs or (spec.clusterIP,))), "")
    if not cluster_ip:
        return ()
    slices = [s for s in slices if s.addressType == "IPv4"]
    affinity = None
    if spec.sessionAffinity == "ClientIP":
        client = spec.sessionAffinityConfig.clientIP if spec.sessionAffinityConfig else None
        affinity = (client.timeoutSeconds if client else None) or DEFAULT_AFFINITY_SECONDS
    balancer = tuple(i.ip for i in service.status.loadBalancer.ingress if i.ip and i.ipMode in (None, "VIP"))
    planned = []
    for port in spec.ports:
        targets, local = _targets(port, slices, spec.publishNotReadyAddresses, options)
        planned.append(
            ServicePort(
                ServiceKey(service.metadata.namespace, service.metadata.name),
                port.name,
                port.protocol or "TCP",
                port.port,
                cluster_ip,
                port.nodePort,
                _ipv4(spec.externalIPs),
                _ipv4(balancer) if spec.type == "LoadBalancer" else (),
                tuple(r.strip() for r in spec.loadBalancerSourceRanges if ":" not in r),
                targets,
                local,
                spec.internalTrafficPolicy == "Local",
                spec.externalTrafficPolicy == "Local",
                affinity,
            )
        )
    return tuple(planned)


def _ipv4(addresses: Iterable[str]) -> tuple[str, ...]:
    found = []
    for address in addresses:
        try:
            found.append(str(ipaddress.IPv4Address(address)))
        except ValueError:
            continue  # "None", empty, or another family
    return tuple(found)


class _Candidate(NamedTuple):
    target: Target
    endpoint: Endpoint
    ready: bool
    leaving: bool  # terminating, but still serving


def _targets(
    port: ServicePortSpec, slices: Iterable[EndpointSlice], publish_not_ready: bool, options: ProxyOptions
) -> tuple[tuple[Target, ...], tuple[Target, ...]]:
    """(targets of all nodes, targets of this node) for the port, sorted."""
    candidates: dict[Target, _Candidate] = {}
    for endpoint_slice in slices:
        for number in _matching_ports(port, endpoint_slice):
            for endpoint in endpoint_slice.endpoints:
                candidate = _candidate(endpoint, number, publish_not_ready)
                known = candidate and candidates.get(candidate.target)
                if candidate and (not known or (candidate.ready and not known.ready)):
                    candidates[candidate.target] = candidate
    everywhere = list(candidates.values())
    here = [c for c in everywhere if c.endpoint.nodeName == options.node]
    return _sorted(_hinted(_usable(everywhere), options)), _sorted(_usable(here))


def _matching_ports(port: ServicePortSpec, endpoint_slice: EndpointSlice) -> list[int]:
    return [
        found.port
        for found in endpoint_slice.ports
        if found.port is not None
        and (found.name or "") == port.name
        and (found.protocol or "TCP") == (port.protocol or "TCP")
    ]


def _candidate(endpoint: Endpoint, port: int, publish_not_ready: bool) -> _Candidate | None:
    conditions = endpoint.conditions
    ready = conditions.ready is not False or publish_not_ready
    serving = conditions.serving if conditions.serving is not None else ready
    if not endpoint.addresses:
        return None
    return _Candidate(Target(endpoint.addresses[0], port), endpoint, ready, serving and conditions.terminating is True)


def _usable(candidates: list[_Candidate]) -> list[_Candidate]:
    """The ready ones; when there are none, those that terminate but still serve (KEP-1669)."""
    return [c for c in candidates if c.ready] or [c for c in candidates if c.leaving]


def _hinted(candidates: list[_Candidate], options: ProxyOptions) -> list[_Candidate]:
    """Those hinted for this node, else for its zone, if every candidate carries such hints and one fits."""
    hints = [c.endpoint.hints for c in candidates]
    by_node = [
        c for c, h in zip(candidates, hints, strict=True) if h and any(n.name == options.node for n in h.forNodes)
    ]
    if by_node and all(h and h.forNodes for h in hints):
        return by_node
    by_zone = [
        c for c, h in zip(candidates, hints, strict=True) if h and any(z.name == options.zone for z in h.forZones)
    ]
    if options.zone and by_zone and all(h and h.forZones for h in hints):
        return by_zone
    return candidates


def _sorted(candidates: list[_Candidate]) -> tuple[Target, ...]:
    return tuple(sorted(c.target for c in candidates))
