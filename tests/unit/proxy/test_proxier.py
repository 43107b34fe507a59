"""The driver: what the informers bring reaches the back end, soon and together."""

from __future__ import annotations

import asyncio
from typing import Any

from proa.api.core_v1.service import Service, ServicePort, ServiceSpec
from proa.api.discovery_v1.types import Endpoint, EndpointPort, EndpointSlice
from proa.base.errors import ProaError
from proa.machinery.meta import ObjectMeta
from proa.proxy.plan import ProxyOptions, Ruleset, Target
from proa.proxy.proxier import Proxier


class Source:
    """An informer's face, moved by hand."""

    def __init__(self) -> None:
        self.objects: dict[str, Any] = {}
        self._handlers: list[Any] = []

    def on_change(self, handler: Any) -> Any:
        self._handlers.append(handler)
        for obj in self.objects.values():
            handler(None, obj)
        return lambda: self._handlers.remove(handler)

    async def synced(self) -> None: ...

    def get(self, key: str) -> Any:
        return self.objects.get(key)

    def put(self, obj: Any) -> None:
        key = f"{obj.metadata.namespace}/{obj.metadata.name}"
        old, self.objects[key] = self.objects.get(key), obj
        for handler in self._handlers:
            handler(old, obj)

    def remove(self, key: str) -> None:
        old = self.objects.pop(key)
        for handler in self._handlers:
            handler(old, None)


class Kernel:
    """A back end that keeps what it is given, and may fail."""

    def __init__(self) -> None:
        self.applied: asyncio.Queue[Ruleset] = asyncio.Queue()
        self.failures = 0

    async def apply(self, ruleset: Ruleset) -> None:
        if self.failures:
            self.failures -= 1
            raise ProaError("no")
        self.applied.put_nowait(ruleset)

    async def teardown(self) -> None: ...

    def statistics(self) -> dict[str, float]:
        return {}


def service(name: str) -> Service:
    spec = ServiceSpec(clusterIP="10.96.0.9", clusterIPs=("10.96.0.9",), ports=(ServicePort(name="http", port=80),))
    return Service(metadata=ObjectMeta(name=name, namespace="default"), spec=spec)


def endpoints(name: str, ip: str) -> EndpointSlice:
    meta = ObjectMeta(name=f"{name}-1", namespace="default", labels={"kubernetes.io/service-name": name})
    return EndpointSlice(
        metadata=meta,
        addressType="IPv4",
        endpoints=(Endpoint(addresses=(ip,)),),
        ports=(EndpointPort(name="http", port=8080),),
    )


def targets(ruleset: Ruleset) -> list[Target]:
    return [target for port in ruleset.ports for target in port.targets]


async def test_changes_reach_the_back_end_in_few_transactions() -> None:
    services, slices, kernel = Source(), Source(), Kernel()
    services.put(service("web"))
    proxier = Proxier(services, slices, kernel, ProxyOptions("here"), pause=0.001)  # type: ignore[arg-type]
    task = asyncio.create_task(proxier.run())
    try:
        await proxier.ready()
        assert targets(await kernel.applied.get()) == []
        slices.put(endpoints("web", "10.244.0.1"))
        slices.put(endpoints("web", "10.244.0.2"))
        assert targets(await kernel.applied.get()) == [Target("10.244.0.2", 8080)]
        slices.remove("default/web-1")
        assert targets(await kernel.applied.get()) == []
        services.remove("default/web")
        assert (await kernel.applied.get()).services == {}
        assert proxier.statistics()["syncs"] == 4
    finally:
        task.cancel()


async def test_a_back_end_that_fails_is_tried_again_with_all_that_changed() -> None:
    services, slices, kernel = Source(), Source(), Kernel()
    kernel.failures = 1
    services.put(service("web"))
    slices.put(endpoints("web", "10.244.0.1"))
    proxier = Proxier(services, slices, kernel, ProxyOptions("here"), pause=0.001)  # type: ignore[arg-type]
    task = asyncio.create_task(proxier.run())
    try:
        assert targets(await kernel.applied.get()) == [Target("10.244.0.1", 8080)]
        assert proxier.statistics()["failures"] == 1
    finally:
        task.cancel()
