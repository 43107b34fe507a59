"""Nodes without a machine: many kubelets in one process, over the fake runtime, with one watch of pods for all.

What a simulated node has in place of files, probes and references is here; state machine, status and events are the
real kubelet's.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from proa.aio.clock import Clock, SystemClock
from proa.api.core_v1 import Pod, Probe, Service
from proa.api.core_v1.resources import PODS
from proa.client.events import Events
from proa.client.informer import Informer, Informers
from proa.client.protocol import Client
from proa.kubelet.host import HostFacts, Pressure
from proa.kubelet.kubelet import Kubelet
from proa.kubelet.services import AnyContainer, NodeConfig
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.runtime.protocol import ContainerStatus, Images, Mount, Runtime

if TYPE_CHECKING:
    import ssl

    from proa.kubelet.server import Authorize, KubeletServer

T = TypeVar("T", bound=Object)

CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "500Gi"}
# Nodes that register at once: more would only wait for each other in the API server.
_STARTING = 32


class NoVolumes:
    """No files at all: every volume is there at once."""

    async def set_up(self, pod: Pod) -> None:
        return None

    async def mounts(
        self, pod: Pod, container: AnyContainer, attempt: int, env: Mapping[str, str], ips: Sequence[str]
    ) -> tuple[Mount, ...]:
        return ()

    async def tear_down(self, uid: str) -> None:
        return None

    def termination_message(self, pod: Pod, status: ContainerStatus) -> str:
        return ""

    def log_directory(self, pod: Pod) -> Path | None:
        return None

    def remove_logs(self, pod: Pod) -> None:
        return None


class NoServices:
    """A simulated container reads no service variables."""

    async def synced(self) -> None:
        return None

    def visible(self, namespace: str) -> Iterable[Service]:
        return ()


class EveryProbePasses:
    """There is no process to ask."""

    async def probe(
        self, pod: Pod, container: AnyContainer, status: ContainerStatus, probe: Probe, ip: str
    ) -> tuple[bool, str]:
        return True, ""


class FetchedObjects:
    """ConfigMaps and Secrets are fetched each time: a simulated container starts once and sees no updates."""

    def __init__(self, client: Client) -> None:
        self._client = client

    async def get(self, resource: Resource[T], namespace: str, name: str, pod_uid: str) -> T | None:
        try:
            return await self._client.get(resource, name, namespace)
        except StatusError as error:
            if is_not_found(error):
                return None
            raise

    def release(self, pod_uid: str) -> None:
        return None


class SimulatedNodes:
    """`count` nodes named `<prefix>-<n>` in this process.

    runtime_of: makes a node's runtime and images from its name and pod range (by default the fake ones). All share one
    watch of pods, one writer of events and, when `serve` is called, one HTTPS endpoint.
    """

    def __init__(
        self,
        client: Client,
        count: int,
        *,
        prefix: str = "simulated",
        address: str = "127.0.0.1",
        port: int = 10250,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        max_pods: int = 110,
        clock: Clock | None = None,
        informers: Informers | None = None,
        runtime_of: Callable[[str, int], tuple[Runtime, Images]] | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._informers = informers or Informers(client)
        self._own_informers = informers is None
        self._watched: Informer[Pod] = self._informers.informer(PODS)
        self._events = Events(client, self._clock)
        self._server: KubeletServer | None = None
        objects = FetchedObjects(client)
        facts = HostFacts(capacity={**CAPACITY, **(capacity or {})}, os_image="simulated")
        make = runtime_of or self._fake_runtime
        self.kubelets: dict[str, Kubelet] = {}
        for index in range(count):
            name = f"{prefix}-{index}"
            runtime, images = make(name, index)
            config = NodeConfig(
                name=name,
                addresses=(address,),
                port=port,
                max_pods=max_pods,
                labels={**(labels or {}), "proa.dev/simulated": "true"},
                relist_period=600.0,
            )
            self.kubelets[name] = Kubelet(
                config,
                client,
                runtime,
                images,
                events=self._events.recorder("kubelet", name),
                volumes=NoVolumes(),
                prober=EveryProbePasses(),
                objects=objects,
                services=NoServices(),
                facts=facts,
                pressure_of=Pressure,
                clock=self._clock,
                watch_pods=False,
            )

    async def start(self) -> None:
        """Register every node, then take every pod that is bound to one of them."""
        await self._events.start()
        if self._own_informers:
            await self._informers.start()
        slots = asyncio.Semaphore(_STARTING)

        async def one(kubelet: Kubelet) -> None:
            async with slots:
                await kubelet.start()

        await asyncio.gather(*(one(each) for each in self.kubelets.values()))
        await self._watched.synced()
        self._watched.on_change(self._dispatch)
        await asyncio.gather(*(each.pods.remove_orphans() for each in self.kubelets.values()))

    async def serve(self, tls: ssl.SSLContext | None, authorize: Authorize, *, address: str, port: int) -> int:
        """One endpoint for the logs and sessions of every simulated pod."""
        from proa.kubelet.server import KubeletServer

        self._server = KubeletServer(list(self.kubelets.values()), authorize)
        bound: int = await self._server.start(address, port, tls)
        return bound

    async def close(self) -> None:
        if self._server is not None:
            await self._server.close()
        await asyncio.gather(*(each.close() for each in self.kubelets.values()))
        if self._own_informers:
            await self._informers.close()
        await self._events.close()

    def statistics(self) -> dict[str, Any]:
        return {
            "nodes": len(self.kubelets),
            "pods": sum(len(each.pods.workers) for each in self.kubelets.values()),
            "events": self._events.statistics(),
        }

    def _dispatch(self, old: Pod | None, new: Pod | None) -> None:
        """Give a pod to its node; unbound pods and those of real nodes are nobody's here."""
        bound = new or old
        kubelet = self.kubelets.get(bound.spec.nodeName) if bound is not None else None
        if kubelet is not None:
            kubelet.pods.pod_changed(old, new)

    def _fake_runtime(self, name: str, index: int) -> tuple[Runtime, Images]:
        from proa.runtime.fake import FakeImages, FakeRuntime

        images = FakeImages()
        network = IPv4Network((int(IPv4Network("10.64.0.0/10").network_address) + (index << 8), 24))
        return FakeRuntime(clock=self._clock, images=images, pod_cidr=network), images
