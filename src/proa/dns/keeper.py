"""Keeps the server's zone as the API has it: informers of Services and EndpointSlices in, zones out.

Changes that arrive together become one new zone, in the same turn of the event loop.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable

from proa.api.core_v1.service import Service
from proa.api.discovery_v1.types import EndpointSlice
from proa.client.informer import Informer
from proa.dns.server import DnsServer
from proa.dns.zone import SERVICE_NAME_LABEL, ServiceNames, service_names

Key = tuple[str, str]


class ZoneKeeper:
    """Follows the informers from `start` until `close`."""

    def __init__(self, services: Informer[Service], slices: Informer[EndpointSlice], server: DnsServer) -> None:
        self._services = services
        self._slices = slices
        self._server = server
        self._by_service: dict[Key, dict[str, EndpointSlice]] = {}
        self._dirty: set[Key] = set()
        self._scheduled = False
        self._removers: list[Callable[[], None]] = []

    def start(self) -> None:
        """Handle everything the informers hold, then every change."""
        self._removers = [
            self._slices.on_change(self._slice_changed),
            self._services.on_change(self._service_changed),
        ]

    def close(self) -> None:
        for remove in self._removers:
            remove()

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        for service in (old, new):
            if service is not None:
                self._mark((service.metadata.namespace, service.metadata.name))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for endpoint_slice, there in ((old, False), (new, True)):
            owner = endpoint_slice.metadata.labels.get(SERVICE_NAME_LABEL) if endpoint_slice else None
            if endpoint_slice is None or not owner:
                continue
            key = (endpoint_slice.metadata.namespace, owner)
            known = self._by_service.setdefault(key, {})
            if there:
                known[endpoint_slice.metadata.name] = endpoint_slice
            else:
                known.pop(endpoint_slice.metadata.name, None)
                if not known:
                    del self._by_service[key]
            self._mark(key)

    def _mark(self, key: Key) -> None:
        self._dirty.add(key)
        if not self._scheduled:
            self._scheduled = True
            asyncio.get_running_loop().call_soon(self._renew)

    def _renew(self) -> None:
        self._scheduled = False
        zone, dirty = self._server.zone, self._dirty
        self._dirty = set()
        changes: dict[Key, ServiceNames | None] = {}
        for key in dirty:
            service = self._services.get("/".join(key))
            slices = self._by_service.get(key, {}).values()
            changes[key] = service_names(service, slices, zone.domain) if service is not None else None
        self._server.zone = zone.with_services(changes)
