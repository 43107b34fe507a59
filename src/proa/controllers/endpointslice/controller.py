"""The EndpointSlice controller: publishes for every Service with a selector the pods that answer for it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proa.api.core_v1 import Pod, Service
from proa.api.core_v1.resources import NODES, PODS, SERVICES
from proa.api.discovery_v1 import EndpointSlice
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.base.errors import ProaError
from proa.client.informer import key_of
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome
from proa.control.services import ServicesOfPod
from proa.control.triggers import For, Maps, Trigger
from proa.controllers.endpointslice.plan import MANAGED_BY, plan
from proa.machinery.status import is_forbidden
from proa.rules.endpoints import MANAGED_BY_LABEL, SERVICE_NAME_LABEL, TRIGGER_TIME, has_endpoints, trigger_time
from proa.rules.selection import matches_map

SERVICE_INDEX = "service"
ZONE_LABEL = "topology.kubernetes.io/zone"


def _service_key(slice: EndpointSlice) -> Iterable[str]:
    """The key of the Service of a slice that is ours."""
    meta = slice.metadata
    name = meta.labels.get(SERVICE_NAME_LABEL)
    if name and meta.labels.get(MANAGED_BY_LABEL) == MANAGED_BY:
        yield f"{meta.namespace}/{name}"


class EndpointSliceController(Controller):
    name = "endpointslice"
    workers = 5

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(SERVICES)
        self._pods = context.informer(PODS)
        self._nodes = context.informer(NODES)
        self._slices = context.informer(ENDPOINT_SLICES)
        self._slices.add_index(SERVICE_INDEX, _service_key)
        self._writes = OwnWrites(self._slices, context.clock)
        self._events = context.recorder("endpoint-slice-controller")

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(SERVICES),
            Maps(PODS, ServicesOfPod(self._services)),
            Maps(ENDPOINT_SLICES, self._services_of_slice),
            Maps(NODES, self._services_of_node),
        )

    def _services_of_slice(self, old: Any, new: Any) -> Iterable[str]:
        for slice in (old, new):
            if slice is not None:
                yield from _service_key(slice)

    def _services_of_node(self, old: Any, new: Any) -> Iterable[str]:
        """A node that moves to another zone, or is seen only now, concerns every Service."""
        if _zone(old) != _zone(new):
            return map(key_of, self._services.list())
        return ()

    async def reconcile(self, key: str) -> Outcome:
        service = self._services.get(key)
        if service is None:
            self._writes.forget(key)  # its slices go with their owner
            return DONE
        if not has_endpoints(service) or service.metadata.deletionTimestamp is not None:
            return DONE
        if not self._writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        pods = self._pods_of(service)
        slices = self._slices.by_index(SERVICE_INDEX, key)
        since = max((each.metadata.annotations.get(TRIGGER_TIME, "") for each in slices), default="")
        step = plan(service, pods, slices, zone_of=self._zone_of, trigger_time=trigger_time(service, pods, since))
        try:
            for slice in step.create:
                self._writes.wrote(key, await self.client.create(ENDPOINT_SLICES, slice))
            for slice in step.update:
                self._writes.wrote(key, await self.client.update(ENDPOINT_SLICES, slice))
            for slice in step.delete:
                await self._delete(key, slice)
        except ProaError as error:
            if is_forbidden(error):
                return Outcome(note=str(error))  # the namespace is going away
            self._events.warning(
                service, "FailedToUpdateEndpointSlices", f"Error updating Endpoint Slices for Service {key}: {error}"
            )
            raise
        return DONE

    async def _delete(self, key: str, slice: EndpointSlice) -> None:
        await delete_exactly(self.client, ENDPOINT_SLICES, slice)
        self._writes.deleted(key, slice)

    def _pods_of(self, service: Service) -> list[Pod]:
        selector = service.spec.selector
        pods = self._pods.list(service.metadata.namespace)
        return [pod for pod in pods if matches_map(selector, pod.metadata.labels)]

    def _zone_of(self, node: str) -> str | None:
        return _zone(self._nodes.get(node))


def _zone(node: Any) -> str | None:
    return (node.metadata.labels.get(ZONE_LABEL) or None) if node is not None else None
