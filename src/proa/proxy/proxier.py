"""The service proxy's driver: informers of Services and EndpointSlices in, rulesets out to a back end.

The first change is applied at once, further ones together after a short pause, so that a rollout is a few transactions
and a single `expose` waits for nothing. Only services that changed are planned anew. A back end that fails is tried
again with backoff; the ruleset before holds on meanwhile.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable

from proa.aio.backoff import Backoff
from proa.api.core_v1.service import Service
from proa.api.discovery_v1.types import EndpointSlice
from proa.base.errors import ProaError
from proa.client.informer import Informer
from proa.proxy.backend import Backend
from proa.proxy.plan import ProxyOptions, Ruleset, ServiceKey, plan_service, slice_key

log = logging.getLogger(__name__)

_RETRY = Backoff(base=0.1, factor=2.0, cap=10.0, jitter=0.2)


class Proxier:
    """`pause`: seconds between two transactions at least."""

    def __init__(
        self,
        services: Informer[Service],
        slices: Informer[EndpointSlice],
        backend: Backend,
        options: ProxyOptions,
        *,
        pause: float = 0.01,
    ) -> None:
        self._services = services
        self._slices = slices
        self._backend = backend
        self._options = options
        self._pause = pause
        self._by_service: dict[ServiceKey, dict[str, EndpointSlice]] = {}
        self._dirty: set[ServiceKey] = set()
        self._changed = asyncio.Event()
        self._ready = asyncio.Event()
        self._ruleset = Ruleset()
        self._counters = {"syncs": 0, "failures": 0, "last_sync_seconds": 0.0}

    async def ready(self) -> None:
        """Return once the first ruleset is in effect."""
        await self._ready.wait()

    async def run(self) -> None:
        """Follow the informers for ever."""
        removers: list[Callable[[], None]] = [
            self._slices.on_change(self._slice_changed),
            self._services.on_change(self._service_changed),
        ]
        try:
            await self._services.synced()
            await self._slices.synced()
            failures = 0
            while True:
                self._changed.clear()
                if await self._sync():
                    failures = 0
                    self._ready.set()
                    await asyncio.sleep(self._pause)
                    await self._changed.wait()
                else:
                    await asyncio.sleep(_RETRY.delay(failures))
                    failures += 1
        finally:
            for remove in removers:
                remove()

    @property
    def ruleset(self) -> Ruleset:
        """What is planned; in effect, unless the back end failed."""
        return self._ruleset

    def statistics(self) -> dict[str, float]:
        return {**self._counters, "services": len(self._ruleset.services), **self._backend.statistics()}

    async def _sync(self) -> bool:
        begin = time.perf_counter()
        dirty, self._dirty = self._dirty, set()
        changes = {}
        for key in dirty:
            service = self._services.get(f"{key.namespace}/{key.name}")
            slices = self._by_service.get(key, {}).values()
            changes[key] = plan_service(service, slices, self._options) if service is not None else ()
        self._ruleset = self._ruleset.with_services(changes)
        try:
            await self._backend.apply(self._ruleset)
        except (ProaError, OSError) as error:
            self._counters["failures"] += 1
            log.error("the service rules could not be applied: %s", error)
            return False
        self._counters["syncs"] += 1
        self._counters["last_sync_seconds"] = time.perf_counter() - begin
        return True

    def _service_changed(self, old: Service | None, new: Service | None) -> None:
        for service in (old, new):
            if service is not None:
                self._mark(ServiceKey(service.metadata.namespace, service.metadata.name))

    def _slice_changed(self, old: EndpointSlice | None, new: EndpointSlice | None) -> None:
        for endpoint_slice, there in ((old, False), (new, True)):
            key = slice_key(endpoint_slice) if endpoint_slice is not None else None
            if endpoint_slice is None or key is None:
                continue
            known = self._by_service.setdefault(key, {})
            if there:
                known[endpoint_slice.metadata.name] = endpoint_slice
            else:
                known.pop(endpoint_slice.metadata.name, None)
                if not known:
                    del self._by_service[key]
            self._mark(key)

    def _mark(self, key: ServiceKey) -> None:
        self._dirty.add(key)
        self._changed.set()
