"""The composition of a node agent's kubelet: configuration and doors in, a node that runs its pods out.

Everything it talks to is injected; the defaults are those of a real machine. Simulated nodes are composed in
`simulated`.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from proa.aio.clock import Clock, SystemClock
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.api.core_v1 import Pod, Service
from proa.api.core_v1.resources import PODS, SERVICES
from proa.base.journal import Journal
from proa.base.metrics import Source
from proa.client.events import EventRecorder, Events
from proa.client.informer import Informer, Informers
from proa.client.protocol import Client
from proa.kubelet.host import HostFacts, Pressure, host_facts, pressure
from proa.kubelet.images import ImagePuller
from proa.kubelet.logs import rotate
from proa.kubelet.node import NodeReporter, node_labels
from proa.kubelet.pods import Pods
from proa.kubelet.prober import NetworkProber
from proa.kubelet.references import References
from proa.kubelet.services import NodeConfig, Objects, Prober, ServiceLister, Services, Volumes
from proa.kubelet.status import Host
from proa.runtime.protocol import Images, Runtime, RuntimeFault

if TYPE_CHECKING:
    import ssl

    from proa.kubelet.server import Authorize, KubeletServer

log = logging.getLogger(__name__)

LOG_CHECK_PERIOD = 10.0


class VisibleServices:
    """The services a pod's environment tells of, from an informer of all of them."""

    def __init__(self, informer: Informer[Service]) -> None:
        self._informer = informer

    async def synced(self) -> None:
        await self._informer.synced()

    def visible(self, namespace: str) -> Iterable[Service]:
        kubernetes = self._informer.get("default/kubernetes")
        if kubernetes is not None and namespace != "default":
            yield kubernetes
        yield from self._informer.by_index("namespace", namespace)


class Kubelet:
    """One node's kubelet.

    informers: to share (the agent's proxy watches services too); by default its own. `register` makes the Node, whose
    podCIDR (`node.pod_cidr()`) a pod network may need before any pod runs; `start` registers if that was not done,
    finds what already runs, and returns when every pod of the API has its worker.
    """

    def __init__(
        self,
        config: NodeConfig,
        client: Client,
        runtime: Runtime,
        images: Images,
        *,
        informers: Informers | None = None,
        events: EventRecorder | None = None,
        volumes: Volumes | None = None,
        prober: Prober | None = None,
        objects: Objects | None = None,
        services: ServiceLister | None = None,
        journal: Journal | None = None,
        facts: HostFacts | None = None,
        pressure_of: Callable[[], Pressure] | None = None,
        clock: Clock | None = None,
        watch_pods: bool = True,
    ) -> None:
        facts = facts or host_facts(config.root)
        clock = clock or SystemClock()
        self.scope = TaskScope(f"kubelet/{config.name}", on_error=_task_failed)
        self._events: Events | None = None
        if events is None:
            self._events = Events(client, clock)
            events = self._events.recorder("kubelet", config.name)
        self._own_informers = informers is None and (watch_pods or services is None)
        self._informers = Informers(client) if informers is None and self._own_informers else informers
        look = pressure_of or partial(pressure, config.root)
        self.node = NodeReporter(config, facts, client, runtime, images, events, clock, look)
        self.config = replace(config, capacity=self.node.capacity)
        self._references = References(client, self.scope, self._objects_changed) if objects is None else None
        references = objects if objects is not None else self._references
        assert references is not None
        if services is None:
            assert self._informers is not None
            services = VisibleServices(self._informers.informer(SERVICES))
        host = Host(config.addresses)
        if volumes is None:
            from proa.kubelet.volumes import NodeVolumes

            volumes = NodeVolumes(self.config, client, references, host, clock, journal, refresh=self._objects_changed)
        self.services = Services(
            config=self.config,
            client=client,
            runtime=runtime,
            images=ImagePuller(images, config.image_parallelism),
            volumes=volumes,
            objects=references,
            services=services,
            events=events,
            prober=prober or NetworkProber(runtime),
            host=host,
            clock=clock,
        )
        self.pods = Pods(self.services, scope=self.scope)
        self.pods.node_labels = node_labels(config, facts)
        self.pods.allocatable = self.node.allocatable
        self._watched: Informer[Pod] | None = None
        if watch_pods:
            assert self._informers is not None
            self._watched = self._informers.informer(PODS, field_selector=f"spec.nodeName={config.name}")
        self._server: KubeletServer | None = None

    async def register(self) -> None:
        """Make the node known. It is Ready as soon as its runtime is."""
        if self._events is not None:
            await self._events.start()
        await self.node.register()

    async def start(self) -> None:
        if self.node.node is None:
            await self.register()
        if self._own_informers and self._informers is not None:
            await self._informers.start()
        self.scope.spawn_forever(self.node.run(), name="heartbeat")
        self.scope.spawn_forever(self._rotate_logs(), name="log rotation")
        await self.pods.start()
        if self._watched is not None:
            await self._watched.synced()
            self._watched.on_change(self.pods.pod_changed)
            await self.pods.remove_orphans()

    async def serve(
        self,
        tls: ssl.SSLContext | None,
        authorize: Authorize,
        *,
        address: str = "0.0.0.0",
        metrics: Iterable[Source] = (),
    ) -> int:
        """Open the HTTPS endpoint for the API server; the port it got (config.port; 0: any).

        metrics: what else the process tells of itself.
        """
        from proa.kubelet.server import KubeletServer

        self._server = KubeletServer([self], authorize, metrics)
        port: int = await self._server.start(address, self.config.port, tls)
        return port

    async def close(self) -> None:
        """Stop; the node's containers go on."""
        if self._server is not None:
            await self._server.close()
        await self.pods.close()
        if self._references is not None:
            self._references.close()
        await self.scope.close()
        if self._own_informers and self._informers is not None:
            await self._informers.close()
        if self._events is not None:
            await self._events.close()

    def statistics(self) -> dict[str, Any]:
        found: dict[str, Any] = {"node": self.node.statistics(), "pods": self.pods.statistics()}
        if self._references is not None:
            found["references"] = self._references.statistics()
        return found

    async def _rotate_logs(self) -> None:
        """Look at the running containers' logs now and then: their growth has no event worth its price."""
        while True:
            await asyncio.sleep(LOG_CHECK_PERIOD)
            for worker in list(self.pods.workers.values()):
                for status in worker.state.alive:
                    path = status.log_path
                    if path is None:
                        continue
                    try:
                        limits = self.config.log_max_size, self.config.log_max_files
                        if await asyncio.to_thread(rotate, path, *limits):
                            await self.services.runtime.reopen_log(status.id)
                    except (RuntimeFault, OSError) as error:
                        log.warning("log %s cannot be rotated: %s", path, error)

    def _objects_changed(self, uids: frozenset[str]) -> None:
        self.pods.objects_changed(uids)


def _task_failed(failure: TaskFailedError) -> None:
    log.error("%s", failure, exc_info=failure.__cause__)
