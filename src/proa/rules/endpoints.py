"""Which pods answer for a Service, under which addresses and ports (Service, EndpointSlice, Endpoints).

Shared by the controllers that publish endpoints in their two forms. Not here: how they are packed into objects.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass

from proa.api.core_v1 import ObjectReference, Pod, Service
from proa.machinery.timestamps import parse
from proa.rules.pods import READY, condition_of, find_port, is_pod_ready, is_terminal

SERVICE_NAME_LABEL = "kubernetes.io/service-name"
MANAGED_BY_LABEL = "endpointslice.kubernetes.io/managed-by"
HEADLESS_LABEL = "service.kubernetes.io/headless"
TRIGGER_TIME = "endpoints.kubernetes.io/last-change-trigger-time"

IPV4, IPV6 = "IPv4", "IPv6"


@dataclass(frozen=True, slots=True)
class Port:
    """One port as this pod serves it: a named target port may be another number in every pod."""

    name: str
    protocol: str
    number: int
    app_protocol: str | None = None


def is_headless(service: Service) -> bool:
    """Without an address of its own: clients get the pods' (clusterIP None)."""
    return service.spec.clusterIP == "None"


def has_endpoints(service: Service) -> bool:
    """Whether controllers choose its endpoints: it has a selector and is no mere alias."""
    return bool(service.spec.selector) and service.spec.type != "ExternalName"


def address_families(service: Service) -> Sequence[str]:
    """The families it is to be reached over, the primary one first."""
    if service.spec.ipFamilies:
        return service.spec.ipFamilies
    return (family_of(service.spec.clusterIP),) if service.spec.clusterIP not in ("", "None") else (IPV4,)


def family_of(address: str) -> str:
    return IPV6 if ipaddress.ip_address(address).version == 6 else IPV4


def address_of(pod: Pod, family: str) -> str:
    """The pod's address of this family; empty when it has none."""
    addresses = [each.ip for each in pod.status.podIPs] or ([pod.status.podIP] if pod.status.podIP else [])
    return next((address for address in addresses if family_of(address) == family), "")


def may_serve(pod: Pod) -> bool:
    """It has an address, and has not ended."""
    return bool(pod.status.podIP or pod.status.podIPs) and not is_terminal(pod)


def ports_of(service: Service, pod: Pod) -> tuple[Port, ...]:
    """The Service's ports in this pod; one whose target name the pod does not have is left out."""
    found = []
    for port in service.spec.ports:
        protocol = port.protocol or "TCP"
        number = find_port(pod.spec, port.targetPort if port.targetPort not in (None, 0, "") else port.port, protocol)
        if number is not None:
            found.append(Port(port.name, protocol, number, port.appProtocol))
    return tuple(found)


def host_name_of(service: Service, pod: Pod) -> str:
    """The pod's own DNS name under the Service: of a pod whose subdomain is this Service."""
    return pod.spec.hostname if pod.spec.subdomain == service.metadata.name else ""


def target_reference(pod: Pod) -> ObjectReference:
    meta = pod.metadata
    return ObjectReference(kind="Pod", namespace=meta.namespace, name=meta.name, uid=meta.uid)


def facts_of(pod: Pod) -> tuple[object, ...]:
    """What of a pod its endpoints depend on: when this is the same, so are they."""
    status, spec, meta = pod.status, pod.spec, pod.metadata
    return (
        meta.labels,
        meta.uid,
        meta.deletionTimestamp is None,
        status.podIP,
        status.podIPs,
        status.phase,
        is_pod_ready(pod),
        spec.nodeName,
    )


def trigger_time(service: Service, pods: Sequence[Pod], since: str) -> str:
    """The first time after `since` that the Service or one of its pods changed what is published; empty for none.

    Times are RFC 3339: what measures programming latency subtracts this annotation from when it saw the change.
    """
    times = [service.metadata.creationTimestamp or ""]
    for pod in pods:
        ready = condition_of(pod, READY)
        if ready is not None and ready.lastTransitionTime:
            times.append(ready.lastTransitionTime)
    after = parse(since) if since else None
    later = [time for time in times if time and (after is None or parse(time) > after)]
    return min(later, key=parse, default="")
