"""The Endpoints controller: what EndpointSlices say in one object, for older readers (core/v1 Endpoints)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import EndpointAddress, EndpointPort, Endpoints, EndpointSubset, Pod, Service
from proa.api.core_v1.resources import ENDPOINTS, PODS, SERVICES
from proa.base.errors import ProaError
from proa.client.informer import key_of
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome
from proa.control.services import ServicesOfPod
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import is_forbidden
from proa.rules.endpoints import (
    HEADLESS_LABEL,
    TRIGGER_TIME,
    Port,
    address_families,
    address_of,
    has_endpoints,
    host_name_of,
    is_headless,
    may_serve,
    ports_of,
    target_reference,
    trigger_time,
)
from proa.rules.pods import is_pod_ready
from proa.rules.selection import matches_map

MANAGED_BY_LABEL = "endpoints.kubernetes.io/managed-by"
MANAGED_BY = "endpoint-controller"
OVER_CAPACITY = "endpoints.kubernetes.io/over-capacity"
# One object holds at most so many addresses.
CAPACITY = 1000


def subsets_of(service: Service, pods: Iterable[Pod]) -> tuple[tuple[EndpointSubset, ...], bool]:
    """Addresses grouped by the ports they serve, in a stable order; and whether some were left out for lack of room."""
    family = address_families(service)[0]
    tolerant = service.spec.publishNotReadyAddresses
    groups: dict[tuple[Port, ...], tuple[list[EndpointAddress], list[EndpointAddress]]] = {}
    for pod in pods:
        address = address_of(pod, family) if may_serve(pod) else ""
        if not address or (pod.metadata.deletionTimestamp is not None and not tolerant):
            continue
        ports = ports_of(service, pod)
        if service.spec.ports and not ports:
            continue
        ready, not_ready = groups.setdefault(ports, ([], []))
        (ready if tolerant or is_pod_ready(pod) else not_ready).append(
            EndpointAddress(
                ip=address,
                hostname=host_name_of(service, pod),
                nodeName=pod.spec.nodeName or None,
                targetRef=target_reference(pod),
            )
        )
    room = CAPACITY
    subsets = []
    for ports, (ready, not_ready) in sorted(groups.items(), key=_ports_order):
        ready = sorted(ready, key=_address_order)[:room]
        room -= len(ready)
        not_ready = sorted(not_ready, key=_address_order)[:room]
        room -= len(not_ready)
        subsets.append(
            EndpointSubset(
                addresses=tuple(ready),
                notReadyAddresses=tuple(not_ready),
                ports=tuple(
                    EndpointPort(name=p.name, port=p.number, protocol=p.protocol, appProtocol=p.app_protocol)
                    for p in ports
                ),
            )
        )
    total = sum(len(ready) + len(not_ready) for ready, not_ready in groups.values())
    return tuple(subsets), total > CAPACITY


def _ports_order(group: tuple[tuple[Port, ...], Any]) -> list[tuple[str, str, int]]:
    return [(port.name, port.protocol, port.number) for port in group[0]]


def _address_order(address: EndpointAddress) -> tuple[str, str]:
    return address.ip, address.targetRef.uid if address.targetRef is not None else ""


class EndpointsController(Controller):
    name = "endpoints"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(SERVICES)
        self._pods = context.informer(PODS)
        self._endpoints = context.informer(ENDPOINTS)
        self._writes = OwnWrites(self._endpoints, context.clock)
        self._events = context.recorder("endpoint-controller")

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(SERVICES), Maps(PODS, ServicesOfPod(self._services)), Maps(ENDPOINTS, _managed))

    async def reconcile(self, key: str) -> Outcome:
        service = self._services.get(key)
        current = self._endpoints.get(key)
        if service is None:
            self._writes.forget(key)
            if current is not None and current.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
                await delete_exactly(self.client, ENDPOINTS, current)
            return DONE
        if not has_endpoints(service):
            return DONE
        if not self._writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        wanted = self._wanted(service, current)
        try:
            if current is None:
                self._writes.wrote(key, await self.client.create(ENDPOINTS, wanted))
            elif wanted is not current:
                self._writes.wrote(key, await self.client.update(ENDPOINTS, wanted))
        except ProaError as error:
            if is_forbidden(error):
                return Outcome(note=str(error))  # the namespace is going away
            verb = "create" if current is None else "update"
            self._events.warning(
                service, f"FailedTo{verb.title()}Endpoint", f"Failed to {verb} endpoint {key}: {error}"
            )
            raise
        return DONE

    def _wanted(self, service: Service, current: Endpoints | None) -> Endpoints:
        """What to write; `current` itself when that says it already."""
        pods = [
            pod
            for pod in self._pods.list(service.metadata.namespace)
            if matches_map(service.spec.selector, pod.metadata.labels)
        ]
        subsets, truncated = subsets_of(service, pods)
        labels = {**service.metadata.labels, MANAGED_BY_LABEL: MANAGED_BY}
        labels.pop(HEADLESS_LABEL, None)
        if is_headless(service):
            labels[HEADLESS_LABEL] = ""
        annotations = dict(current.metadata.annotations) if current is not None else {}
        since = annotations.pop(TRIGGER_TIME, "")
        annotations.pop(OVER_CAPACITY, None)
        if truncated:
            annotations[OVER_CAPACITY] = "truncated"
        if (
            current is not None
            and (current.subsets, current.metadata.labels) == (subsets, labels)
            and (OVER_CAPACITY in current.metadata.annotations) == truncated
        ):
            return current
        if time := trigger_time(service, pods, since):
            annotations[TRIGGER_TIME] = time
        if current is None:
            meta = ObjectMeta(
                name=service.metadata.name,
                namespace=service.metadata.namespace,
                labels=labels,
                annotations=annotations,
            )
            return Endpoints(metadata=meta, subsets=subsets)
        meta = msgspec.structs.replace(current.metadata, labels=labels, annotations=annotations)
        return msgspec.structs.replace(current, metadata=meta, subsets=subsets)


def _managed(old: Any, new: Any) -> Iterable[str]:
    for each in (old, new):
        if each is not None and each.metadata.labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
            yield key_of(each)
