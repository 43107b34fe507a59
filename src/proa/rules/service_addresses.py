"""Cluster addresses of Services as objects: what the IPAddress of one says, and in which ServiceCIDRs it lies.

Source: KEP-1880. An IPAddress (networking.k8s.io/v1) is named after its address in canonical form, and `spec.parentRef`
says whose it is. Not here: which address a Service gets (the API server's allocators).
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

from proa.api.core_v1 import Service, ServiceSpec
from proa.api.networking_v1 import IPAddress, IPAddressSpec, ParentReference, ServiceCIDR
from proa.machinery.addresses import network_of
from proa.machinery.meta import ObjectMeta

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

DEFAULT_RANGE = "kubernetes"
"""The ServiceCIDR that every cluster has."""
READY = "Ready"
"""The condition of a ServiceCIDR that gives addresses."""
FINALIZER = "networking.k8s.io/service-cidr-finalizer"
FAMILY = "ipaddress.kubernetes.io/ip-family"
MANAGED_BY = "ipaddress.kubernetes.io/managed-by"
ALLOCATOR = "ipallocator.k8s.io"
HEADLESS = "None"


def cluster_addresses(spec: ServiceSpec) -> tuple[str, ...]:
    """The addresses a Service holds, in canonical form; none when it is headless or only a name."""
    if spec.type == "ExternalName" or spec.clusterIP in ("", HEADLESS):
        return ()
    return tuple(map(canonical, spec.clusterIPs or (spec.clusterIP,)))


def canonical(address: str) -> str:
    """An address as IPAddresses are named (of IPv4 the API takes no other form); what is none stays as it is."""
    if ":" not in address:
        return address
    try:
        return str(ip_address(address))
    except ValueError:
        return address


def record_of(address: str, service: Service) -> IPAddress:
    """The IPAddress that says that `address` is this Service's."""
    return IPAddress(
        metadata=ObjectMeta(name=address, labels=labels_of(address)),
        spec=IPAddressSpec(parentRef=reference_to(service)),
    )


def labels_of(address: str) -> dict[str, str]:
    """The labels of a Service's IPAddress."""
    return {FAMILY: "IPv6" if ":" in address else "IPv4", MANAGED_BY: ALLOCATOR}


def reference_to(service: Service) -> ParentReference:
    meta = service.metadata
    return ParentReference(resource="services", namespace=meta.namespace, name=meta.name)


def service_key(record: IPAddress) -> str:
    """`namespace/name` of the Service an IPAddress is said to be of; '' when it is something else's."""
    parent = record.spec.parentRef
    if parent is None or parent.group or parent.resource != "services":
        return ""
    return f"{parent.namespace}/{parent.name}"


def is_managed(record: IPAddress) -> bool:
    """Whether the allocator made it; others are their maker's."""
    return record.metadata.labels.get(MANAGED_BY) == ALLOCATOR


def networks_of(cidr: ServiceCIDR) -> tuple[Network, ...]:
    return tuple(network for each in cidr.spec.cidrs if (network := network_of(each)) is not None)


def contains(network: Network, address: Address) -> bool:
    """Whether a Service may have the address in this network: not the network's own, nor the broadcast's of IPv4."""
    if address.version != network.version or address not in network or address == network.network_address:
        return False
    return address.version == 6 or address != network.broadcast_address


def is_within(cidrs: Iterable[ServiceCIDR], address: str) -> bool:
    """Whether any of the ServiceCIDRs has the address."""
    parsed = ip_address(address)
    return any(contains(network, parsed) for each in cidrs for network in networks_of(each))


def is_ready(cidr: ServiceCIDR) -> bool:
    """Whether addresses are taken from it: it is ready and not going away."""
    ready = any(each.type == READY and each.status == "True" for each in cidr.status.conditions)
    return ready and cidr.metadata.deletionTimestamp is None
