"""A whole control plane in one process under virtual time: the real API server, the real controllers, and
pods that run because a few lines say so."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from random import Random
from typing import Any

import msgspec
import pytest

from proa.aio.clock import VirtualClock, virtual_run
from proa.aio.tasks import TaskScope
from proa.api.coordination_v1 import Lease
from proa.api.coordination_v1.resources import LEASES
from proa.api.core_v1 import Binding, Node, NodeCondition, ObjectReference, Pod
from proa.api.core_v1.resources import NODES, PODS
from proa.apiserver.compose import ApiServer, Config
from proa.apiserver.identity import MASTERS, User
from proa.apiserver.plugins import default_plugins
from proa.apiserver.plugins.context import PluginContext
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.control.manager import ControllerManager
from proa.controllers.registry import controllers
from proa.controllers.settings import Settings
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, is_conflict, is_not_found
from proa.machinery.timestamps import format_micro_time, format_time
from proa.store.memory import MemoryStore


class PodsRun:
    """Every pod gets a node and an address, becomes ready after `ready_after` seconds and ends when deleted.

    Pods whose image is `broken` never become ready.
    """

    def __init__(self, client: Client, informers: Informers, clock: VirtualClock, nodes: Sequence[str]) -> None:
        self.client = client
        self.clock = clock
        self.nodes = list(nodes)
        self.ready_after = 2.0
        self.stop_after = 1.0
        self.dead: set[str] = set()
        self._scope = TaskScope("pods")
        self._number = 0
        self._known: set[tuple[str, bool]] = set()
        informers.informer(PODS).on_change(self._changed)

    async def start(self) -> None:
        for name in self.nodes:
            await self.add_node(name)

    async def add_node(self, name: str) -> None:
        """A ready node whose heart beats until it is in `dead`."""
        ready = NodeCondition(type="Ready", status="True", lastHeartbeatTime=format_time(self.clock.now()))
        node = Node(metadata=ObjectMeta(name=name, labels={"topology.kubernetes.io/zone": f"zone-{name[-1]}"}))
        await self.client.create(NODES, node)
        status = {"status": {"conditions": [msgspec.to_builtins(ready)]}}
        await self.client.patch(NODES, name, "", status, type="merge", subresource="status")
        lease = Lease(metadata=ObjectMeta(name=name, namespace="kube-node-lease"))
        await self.client.create(LEASES, lease)
        self._scope.spawn(self._beat(name), name=f"heart-{name}")

    async def _beat(self, name: str) -> None:
        while name not in self.dead:
            patch = {"spec": {"renewTime": format_micro_time(self.clock.now())}}
            await self.client.patch(LEASES, name, "kube-node-lease", patch, type="merge")
            await asyncio.sleep(10)

    def _changed(self, old: Any, new: Pod | None) -> None:
        if new is None:
            return
        key = (new.metadata.uid, new.metadata.deletionTimestamp is not None)
        if key not in self._known:
            self._known.add(key)
            self._scope.spawn(self._stop(new) if key[1] else self._run(new), name=new.metadata.name)

    async def _run(self, pod: Pod) -> None:
        self._number += 1
        number = self._number
        node = pod.spec.nodeName or self.nodes[number % len(self.nodes)]
        ip = f"10.0.{number // 250}.{number % 250 + 1}"
        await self._bind(pod, node)
        await self._status(pod, "Running", ip, ready=False)
        if pod.spec.containers and pod.spec.containers[0].image == "broken":
            return
        await asyncio.sleep(self.ready_after)
        if node not in self.dead:
            await self._status(pod, "Running", ip, ready=True)

    async def _status(self, pod: Pod, phase: str, ip: str, *, ready: bool) -> None:
        now = format_time(self.clock.now())
        conditions = [
            {"type": "Ready", "status": "True" if ready else "False", "lastTransitionTime": now},
            {"type": "PodScheduled", "status": "True", "lastTransitionTime": now},
        ]
        status = {"phase": phase, "podIP": ip, "podIPs": [{"ip": ip}], "conditions": conditions}
        await self._patch(pod, {"status": status}, subresource="status")

    async def _stop(self, pod: Pod) -> None:
        await asyncio.sleep(self.stop_after)
        if pod.spec.nodeName in self.dead:
            return
        try:
            await self.client.delete(PODS, pod.metadata.name, pod.metadata.namespace, grace_period_seconds=0)
        except StatusError as error:
            if not is_not_found(error):
                raise

    async def _bind(self, pod: Pod, node: str) -> None:
        meta = pod.metadata
        try:
            binding = Binding(
                metadata=ObjectMeta(name=meta.name, namespace=meta.namespace),
                target=ObjectReference(kind="Node", name=node),
            )
            await self.client.post(PODS, meta.name, meta.namespace, "binding", binding)
        except StatusError as error:
            if not is_not_found(error) and not is_conflict(error):
                raise

    async def _patch(self, pod: Pod, patch: Any, subresource: str = "") -> None:
        try:
            meta = pod.metadata
            await self.client.patch(PODS, meta.name, meta.namespace, patch, type="strategic", subresource=subresource)
        except StatusError as error:
            if not is_not_found(error) and not is_conflict(error):
                raise

    async def close(self) -> None:
        await self._scope.close()


class ControlPlane:
    """`client` talks to it, `clock.advance` lets it work."""

    def __init__(self, clock: VirtualClock, settings: Settings) -> None:
        self.clock = clock
        self.store = MemoryStore(clock=clock)
        self.server = ApiServer(Config(store=self.store, clock=clock))
        self.client = self.server.client_for(User("admin", groups=(MASTERS,)))
        self.informers = Informers(self.client)
        self.manager = ControllerManager(self.client, controllers(settings), informers=self.informers, clock=clock)
        self.pods = PodsRun(self.client, self.informers, clock, ["node-a", "node-b", "node-c"])

    async def __aenter__(self) -> ControlPlane:
        await self.server.load()
        await self.informers.start()
        self.server.install(
            admission=default_plugins(
                PluginContext(self.client, self.informers, Random(1), clock=self.clock, server=self.server)
            )
        )
        await self.manager.start()
        await self.pods.start()
        await self.clock.settle()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.manager.close()
        await self.pods.close()
        await self.informers.close()
        await self.server.stop()
        await self.store.close()

    async def until(self, what: Callable[[], Any], seconds: float = 60.0) -> Any:
        """Let time pass until `what()` is true; its value."""
        deadline = self.clock.monotonic() + seconds
        while True:
            await self.clock.settle()
            value = what()
            if isinstance(value, Awaitable):
                value = await value
            if value:
                return value
            assert self.clock.monotonic() < deadline, f"not within {seconds} s: {what}"
            await asyncio.sleep(0.25)

    async def all(self, resource: Any, namespace: str = "default", **selection: Any) -> list[Any]:
        return list((await self.client.list(resource, namespace, **selection)).items)

    async def get(self, resource: Any, name: str, namespace: str = "default") -> Any:
        """None when there is none."""
        try:
            return await self.client.get(resource, name, namespace)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise


Body = Callable[[ControlPlane], Awaitable[None]]


@pytest.fixture
def simulate() -> Callable[..., float]:
    """Run `body(plane)` in virtual time; the CPU seconds it took."""

    def run(body: Body, settings: Settings | None = None) -> float:
        async def main(clock: VirtualClock) -> None:
            async with ControlPlane(clock, settings or Settings(root_ca="PEM")) as plane:
                await body(plane)

        began = time.process_time()
        virtual_run(main)
        return time.process_time() - began

    return run
