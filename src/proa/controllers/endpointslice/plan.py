"""From a Service, its pods and the slices there are, to the slices to create, change and delete. Pure.

As few writes as possible, because every node reads every one: an endpoint stays in its slice, new ones fill slices that
change anyway, then any with room, then new slices. A Service without endpoints keeps one empty slice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import msgspec

from proa.api.core_v1 import Pod, Service
from proa.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from proa.machinery.meta import ObjectMeta
from proa.rules.endpoints import (
    HEADLESS_LABEL,
    MANAGED_BY_LABEL,
    SERVICE_NAME_LABEL,
    TRIGGER_TIME,
    Port,
    address_families,
    address_of,
    host_name_of,
    is_headless,
    may_serve,
    ports_of,
    target_reference,
)
from proa.rules.owners import controller_reference
from proa.rules.pods import is_pod_ready

MANAGED_BY = "endpointslice-controller.k8s.io"
MAX_ENDPOINTS = 100

ZoneOf = Callable[[str], str | None]


@dataclass
class Plan:
    create: list[EndpointSlice] = field(default_factory=list)
    update: list[EndpointSlice] = field(default_factory=list)
    delete: list[EndpointSlice] = field(default_factory=list)


@dataclass
class _Draft:
    """A slice as it will be; `slice` is None for a new one."""

    slice: EndpointSlice | None
    endpoints: list[Endpoint]
    touched: bool

    @property
    def room(self) -> int:
        return MAX_ENDPOINTS - len(self.endpoints)


def plan(
    service: Service,
    pods: Sequence[Pod],
    slices: Sequence[EndpointSlice],
    *,
    zone_of: ZoneOf,
    trigger_time: str = "",
) -> Plan:
    """What to write so that `slices` tell of `pods`. zone_of: the zone of a node by its name."""
    result = Plan()
    families = address_families(service)
    for stale in slices:
        if stale.addressType not in families:
            result.delete.append(stale)
    for family in families:
        groups = _desired(service, pods, family, zone_of)
        existing: dict[tuple[Port, ...], list[EndpointSlice]] = {}
        for each in slices:
            if each.addressType == family:
                existing.setdefault(_ports_in(each), []).append(each)
        drafts = [
            (ports, draft) for ports, endpoints in groups.items() for draft in _pack(endpoints, existing.pop(ports, []))
        ]
        unused = [slice for group in existing.values() for slice in group]
        unused += [draft.slice for _, draft in drafts if not draft.endpoints and draft.slice is not None]
        drafts = [(ports, draft) for ports, draft in drafts if draft.endpoints] or [((), _Draft(None, [], True))]
        for ports, draft in drafts:
            if draft.slice is None and unused:
                draft.slice = unused.pop(0)  # one update instead of a delete and a create
            _emit(result, service, family, ports, draft, trigger_time)
        result.delete += unused
    return result


def _desired(
    service: Service, pods: Sequence[Pod], family: str, zone_of: ZoneOf
) -> dict[tuple[Port, ...], dict[str, Endpoint]]:
    """Endpoints by the ports they serve, each under its pod's uid."""
    groups: dict[tuple[Port, ...], dict[str, Endpoint]] = {}
    for pod in pods:
        address = address_of(pod, family) if may_serve(pod) else ""
        if address:
            ports = ports_of(service, pod)
            groups.setdefault(ports, {})[pod.metadata.uid] = _endpoint(service, pod, address, zone_of)
    return groups


def _endpoint(service: Service, pod: Pod, address: str, zone_of: ZoneOf) -> Endpoint:
    serving = is_pod_ready(pod)
    terminating = pod.metadata.deletionTimestamp is not None
    node = pod.spec.nodeName
    return Endpoint(
        addresses=(address,),
        conditions=EndpointConditions(
            ready=service.spec.publishNotReadyAddresses or (serving and not terminating),
            serving=serving,
            terminating=terminating,
        ),
        hostname=host_name_of(service, pod) or None,
        targetRef=target_reference(pod),
        nodeName=node or None,
        zone=zone_of(node) if node else None,
    )


def _ports_in(slice: EndpointSlice) -> tuple[Port, ...]:
    return tuple(Port(p.name or "", p.protocol or "TCP", p.port or 0, p.appProtocol) for p in slice.ports)


def _pack(wanted: Mapping[str, Endpoint], slices: Sequence[EndpointSlice]) -> list[_Draft]:
    left = dict(wanted)
    drafts = []
    for slice in slices:
        stay = []
        for old in slice.endpoints:
            endpoint = left.pop(old.targetRef.uid, None) if old.targetRef is not None else None
            if endpoint is not None:
                stay.append(endpoint)
        drafts.append(_Draft(slice, stay, tuple(stay) != slice.endpoints))
    waiting = list(left.values())
    # Changed ones first, and of these the fullest: fewest slices written, fewest slices kept.
    for draft in sorted(drafts, key=lambda each: (not each.touched, each.room)):
        taken, waiting = waiting[: draft.room], waiting[draft.room :]
        if taken:
            draft.endpoints += taken
            draft.touched = True
    while waiting:
        drafts.append(_Draft(None, waiting[:MAX_ENDPOINTS], True))
        waiting = waiting[MAX_ENDPOINTS:]
    return drafts


def _emit(
    result: Plan, service: Service, family: str, ports: tuple[Port, ...], draft: _Draft, trigger_time: str
) -> None:
    """Write `draft` if it says anything new."""
    old = draft.slice
    labels = labels_of(service)
    annotations = dict(old.metadata.annotations) if old is not None else {}
    endpoints = tuple(draft.endpoints)
    slice_ports = tuple(
        EndpointPort(name=port.name, protocol=port.protocol, port=port.number, appProtocol=port.app_protocol)
        for port in ports
    )
    if old is not None and (old.endpoints, old.ports, old.metadata.labels) == (endpoints, slice_ports, labels):
        return
    if trigger_time:
        annotations[TRIGGER_TIME] = trigger_time
    else:
        annotations.pop(TRIGGER_TIME, None)
    if old is None:
        meta = ObjectMeta(
            generateName=f"{service.metadata.name}-",
            namespace=service.metadata.namespace,
            labels=labels,
            annotations=annotations,
            ownerReferences=(controller_reference(service),),
        )
        result.create.append(EndpointSlice(metadata=meta, addressType=family, endpoints=endpoints, ports=slice_ports))
    else:
        meta = msgspec.structs.replace(old.metadata, labels=labels, annotations=annotations)
        result.update.append(msgspec.structs.replace(old, metadata=meta, endpoints=endpoints, ports=slice_ports))


def labels_of(service: Service) -> dict[str, str]:
    """The Service's own labels, and those by which readers find the slices of a Service."""
    labels = dict(service.metadata.labels)
    labels[SERVICE_NAME_LABEL] = service.metadata.name
    labels[MANAGED_BY_LABEL] = MANAGED_BY
    labels.pop(HEADLESS_LABEL, None)
    if is_headless(service):
        labels[HEADLESS_LABEL] = ""
    return labels
