"""The EndpointSlice mirroring controller: Endpoints written by hand for a Service without a selector, told again as
EndpointSlices, which is what proxies and DNS read.

Not mirrored: what a controller of ours made, what is labelled `skip-mirror`, leader-election records, and Endpoints
without a Service of their name. Addresses beyond `CAPACITY` of a subset are left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import EndpointAddress, Endpoints, Service
from proa.api.core_v1.resources import ENDPOINTS, SERVICES
from proa.api.discovery_v1 import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.base.errors import ProaError
from proa.client.informer import key_of
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import is_forbidden
from proa.rules.endpoints import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, TRIGGER_TIME, family_of
from proa.rules.owners import controller_reference

MANAGED_BY = "endpointslicemirroring-controller.k8s.io"
SKIP_MIRROR = "endpointslice.kubernetes.io/skip-mirror"
LEADER = "control-plane.alpha.kubernetes.io/leader"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
CAPACITY = 1000

_INDEX = "mirrored"
Group = tuple[str, tuple[EndpointPort, ...]]


def is_mirrored(endpoints: Endpoints, service: Service | None) -> bool:
    """Whether slices are to say what these Endpoints say."""
    meta = endpoints.metadata
    return (
        service is not None
        and not service.spec.selector
        and meta.deletionTimestamp is None
        and meta.labels.get(SKIP_MIRROR) != "true"
        and LEADER not in meta.annotations
    )


def groups_of(endpoints: Endpoints) -> dict[Group, tuple[Endpoint, ...]]:
    """Endpoints by address family and ports: a slice for each. Addresses are said once a group, ready before not."""
    groups: dict[Group, dict[str, Endpoint]] = {}
    for subset in endpoints.subsets:
        ports = tuple(
            EndpointPort(name=each.name, port=each.port, protocol=each.protocol or "TCP", appProtocol=each.appProtocol)
            for each in subset.ports
        )
        told = [(each, True) for each in subset.addresses] + [(each, False) for each in subset.notReadyAddresses]
        for address, ready in told[:CAPACITY]:
            group = groups.setdefault((family_of(address.ip), ports), {})
            group.setdefault(address.ip, _endpoint(address, ready))
    return {group: tuple(found.values()) for group, found in groups.items()}


def _endpoint(address: EndpointAddress, ready: bool) -> Endpoint:
    return Endpoint(
        addresses=(address.ip,),
        conditions=EndpointConditions(ready=ready),
        hostname=address.hostname or None,
        targetRef=address.targetRef,
        nodeName=address.nodeName,
    )


def metadata_of(endpoints: Endpoints) -> ObjectMeta:
    """What every slice of these Endpoints carries."""
    meta = endpoints.metadata
    return ObjectMeta(
        generateName=f"{meta.name}-",
        namespace=meta.namespace,
        labels={**meta.labels, SERVICE_NAME_LABEL: meta.name, MANAGED_BY_LABEL: MANAGED_BY},
        annotations={
            name: value for name, value in meta.annotations.items() if name not in (TRIGGER_TIME, LAST_APPLIED)
        },
        ownerReferences=(controller_reference(endpoints),),
    )


class EndpointSliceMirroringController(Controller):
    name = "endpointslicemirroring"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._endpoints = context.informer(ENDPOINTS)
        self._services = context.informer(SERVICES)
        self._slices = context.informer(ENDPOINT_SLICES)
        self._slices.add_index(_INDEX, _mirrored_key)
        self._writes = OwnWrites(self._slices, context.clock)
        self._events = context.recorder("endpoint-slice-mirroring-controller")

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(ENDPOINTS), Maps(SERVICES, _keys_of_service), Maps(ENDPOINT_SLICES, _keys_of_slice))

    async def reconcile(self, key: str) -> Outcome:
        if not self._writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        endpoints = self._endpoints.get(key)
        slices = list(self._slices.by_index(_INDEX, key))
        if endpoints is None or not is_mirrored(endpoints, self._services.get(key)):
            for each in slices:
                await self._delete(key, each)
            if not slices:
                self._writes.forget(key)
            return DONE
        try:
            await self._mirror(key, endpoints, slices)
        except ProaError as error:
            if is_forbidden(error):
                return Outcome(note=str(error))  # the namespace is going away
            self._events.warning(
                endpoints,
                "FailedToUpdateEndpointSlices",
                f"Error updating Endpoint Slices for Endpoints {key}: {error}",
            )
            raise
        return DONE

    async def _mirror(self, key: str, endpoints: Endpoints, slices: list[EndpointSlice]) -> None:
        wanted, meta = groups_of(endpoints), metadata_of(endpoints)
        for group, told in wanted.items():
            family, ports = group
            same = (each for each in slices if _group(each) == group)
            free = (each for each in slices if each.addressType == family and _group(each) not in wanted)
            slice = next(same, None) or next(free, None)
            if slice is None:
                new = EndpointSlice(metadata=meta, addressType=family, ports=ports, endpoints=told)
                self._writes.wrote(key, await self.client.create(ENDPOINT_SLICES, new))
                continue
            slices.remove(slice)
            kept = msgspec.structs.replace(slice.metadata, labels=meta.labels, annotations=meta.annotations)
            changed = msgspec.structs.replace(slice, metadata=kept, ports=ports, endpoints=told)
            if changed != slice:
                self._writes.wrote(key, await self.client.update(ENDPOINT_SLICES, changed))
        for slice in slices:
            await self._delete(key, slice)

    async def _delete(self, key: str, slice: EndpointSlice) -> None:
        await delete_exactly(self.client, ENDPOINT_SLICES, slice)
        self._writes.deleted(key, slice)


def _group(slice: EndpointSlice) -> Group:
    return slice.addressType, slice.ports


def _mirrored_key(slice: EndpointSlice) -> Iterable[str]:
    meta = slice.metadata
    if meta.labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
        yield f"{meta.namespace}/{meta.labels.get(SERVICE_NAME_LABEL, '')}"


def _keys_of_slice(old: Any, new: Any) -> Iterable[str]:
    for each in (old, new):
        if each is not None:
            yield from _mirrored_key(each)


def _keys_of_service(old: Any, new: Any) -> Iterable[str]:
    """A Service that comes, goes, or gains or loses its selector."""
    if old is None or new is None or bool(old.spec.selector) != bool(new.spec.selector):
        yield key_of(new or old)
