"""Nodes without a machine: many kubelets in one process, over the fake runtime, with one watch of pods for all.

What a simulated node has in place of files, probes and references is here; state machine, status and events are the
real kubelet's.
"""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path
from random import Random, SystemRandom
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from proa.aio.clock import Clock, SystemClock
from proa.api.core_v1 import Pod, Probe, Service
from proa.api.core_v1.resources import PODS
from proa.client.events import Events
from proa.client.informer import Informer, Informers
from proa.client.protocol import Client
from proa.kubelet.host import HostFacts, Pressure
from proa.kubelet.kubelet import Kubelet
from proa.kubelet.probing import probe_of
from proa.kubelet.services import AnyContainer, NodeConfig
from proa.kubelet.state import ProbeKind
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.runtime.protocol import ContainerConfig, ContainerStatus, Images, Mount, Runtime

if TYPE_CHECKING:
    import ssl

    from proa.kubelet.server import Authorize, KubeletServer
    from proa.runtime.fake import Behaviour

T = TypeVar("T", bound=Object)

CAPACITY = {"cpu": "32", "memory": "256Gi", "ephemeral-storage": "500Gi"}
SIMULATED_LABEL = "proa.dev/simulated"
FAILING_PROBES = "proa.fake/failing-probes"
# Where the addresses of simulated pods come from, a /24 for each node.
_PODS = IPv4Network("10.64.0.0/10")
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


class KeptLogs(NoVolumes):
    """No files but what containers print, in the usual layout below `root`."""

    def __init__(self, root: Path) -> None:
        self._root = root

    async def set_up(self, pod: Pod) -> None:
        spec, directory = pod.spec, self.log_directory(pod)
        containers: tuple[AnyContainer, ...] = (*spec.initContainers, *spec.containers, *spec.ephemeralContainers)
        for container in containers:
            (directory / container.name).mkdir(parents=True, exist_ok=True)

    def log_directory(self, pod: Pod) -> Path:
        meta = pod.metadata
        return self._root / f"{meta.namespace}_{meta.name}_{meta.uid}"

    def remove_logs(self, pod: Pod) -> None:
        shutil.rmtree(self.log_directory(pod), ignore_errors=True)


class NoServices:
    """A simulated container reads no service variables."""

    async def synced(self) -> None:
        return None

    def visible(self, namespace: str) -> Iterable[Service]:
        return ()


class AnnotatedProbes:
    """There is no process to ask: a probe passes unless the pod's annotation `proa.fake/failing-probes` names its kind.

    The value is a list: `readiness,liveness`.
    """

    async def probe(
        self, pod: Pod, container: AnyContainer, status: ContainerStatus, probe: Probe, ip: str
    ) -> tuple[bool, str]:
        failing = {each.strip() for each in pod.metadata.annotations.get(FAILING_PROBES, "").split(",")}
        kinds = {kind for kind in ProbeKind if probe_of(container, kind) == probe}
        if any(kind.value in failing for kind in kinds):
            return False, f"annotation {FAILING_PROBES} says so"
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
    """`count` nodes named `<prefix>-<n>` in this process, and those added later.

    client_of: a node's own client, by its name (by default all use `client`, which also reads the pods and writes the
    events). behaviour: what containers do. runtime_of: makes a node's runtime and images from its name and number (by
    default the fake ones). logs: the directory to keep what containers print, None: nowhere. All share one watch of
    pods, one writer of events and, when `serve` is called, one HTTPS endpoint.
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
        random: Random | None = None,
        informers: Informers | None = None,
        client_of: Callable[[str], Client] | None = None,
        behaviour: Callable[[ContainerConfig], Behaviour] | None = None,
        runtime_of: Callable[[str, int], tuple[Runtime, Images]] | None = None,
        logs: Path | None = None,
    ) -> None:
        self._clock = clock or SystemClock()
        self._random = random or SystemRandom()
        self._informers = informers or Informers(client)
        self._own_informers = informers is None
        self._watched: Informer[Pod] = self._informers.informer(PODS)
        self._events = Events(client, self._clock)
        self._server: KubeletServer | None = None
        self._objects = FetchedObjects(client)
        self._client_of = client_of or (lambda _: client)
        self._behaviour = behaviour
        self._runtime_of = runtime_of or self._fake_runtime
        self._address, self._port, self._prefix, self._max_pods = address, port, prefix, max_pods
        self._capacity, self._labels = {**CAPACITY, **(capacity or {})}, dict(labels or {})
        self._machines: dict[str, _Machine] = {}
        self.kubelets: dict[str, Kubelet] = {}
        self._count = count
        self._logs = logs

    async def start(self) -> None:
        """Register every node, then take every pod that is bound to one of them."""
        for number in range(self._count):
            self._make(f"{self._prefix}-{number}")
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

    async def add(
        self,
        name: str = "",
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[object] = (),
    ) -> str:
        """Start one more node, or a stopped one again (which finds what runs on it); its name."""
        name = name or f"{self._prefix}-{len(self._machines)}"
        kubelet = self._make(name, capacity=capacity or {}, labels=labels or {}, taints=taints)
        await kubelet.start()
        for pod in self._watched.list():
            if pod.spec.nodeName == name:
                kubelet.pods.pod_changed(None, pod)
        await kubelet.pods.remove_orphans()
        return name

    async def stop(self, name: str) -> None:
        """The node's agent dies: no more heartbeats, nobody looks after its pods. `add` brings it back."""
        await self.kubelets.pop(name).close()

    async def serve(self, tls: ssl.SSLContext | None, authorize: Authorize, *, address: str, port: int) -> int:
        """One endpoint for the logs and sessions of every simulated pod; its port. Before `start`: nodes tell of it."""
        from proa.kubelet.server import KubeletServer

        self._server = KubeletServer(self.kubelets.values(), authorize)
        self._port = await self._server.start(address, port, tls)
        return self._port

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

    def _make(
        self,
        name: str,
        *,
        capacity: Mapping[str, str] | None = None,
        labels: Mapping[str, str] | None = None,
        taints: Sequence[object] = (),
    ) -> Kubelet:
        if name in self.kubelets:
            raise ValueError(f"node {name} runs already")
        machine = self._machines.get(name)
        if machine is None:
            machine = self._machines[name] = self._make_machine(name, capacity or {}, labels or {}, taints)
        kubelet = self.kubelets[name] = Kubelet(
            machine.config,
            self._client_of(name),
            machine.runtime,
            machine.images,
            events=self._events.recorder("kubelet", name),
            volumes=KeptLogs(self._logs) if self._logs is not None else NoVolumes(),
            prober=AnnotatedProbes(),
            objects=self._objects,
            services=NoServices(),
            facts=machine.facts,
            pressure_of=Pressure,
            clock=self._clock,
            watch_pods=False,
        )
        return kubelet

    def _make_machine(
        self, name: str, capacity: Mapping[str, str], labels: Mapping[str, str], taints: Sequence[object]
    ) -> _Machine:
        number = len(self._machines)
        runtime, images = self._runtime_of(name, number)
        config = NodeConfig(
            name=name,
            addresses=(self._address,),
            port=self._port,
            max_pods=self._max_pods,
            labels={**self._labels, **labels, SIMULATED_LABEL: "true"},
            taints=tuple(taints),
            relist_period=600.0,
            pod_cidr=str(_network(number)),
        )
        facts = HostFacts(capacity={**self._capacity, **capacity}, os_image="simulated")
        return _Machine(config, facts, runtime, images)

    def _dispatch(self, old: Pod | None, new: Pod | None) -> None:
        """Give a pod to its node; unbound pods and those of real nodes are nobody's here."""
        bound = new or old
        kubelet = self.kubelets.get(bound.spec.nodeName) if bound is not None else None
        if kubelet is not None:
            kubelet.pods.pod_changed(old, new)

    def _fake_runtime(self, name: str, number: int) -> tuple[Runtime, Images]:
        from proa.runtime.fake import FakeImages, FakeRuntime

        images = FakeImages()
        runtime = FakeRuntime(
            clock=self._clock,
            behaviour=self._behaviour,
            images=images,
            pod_cidr=_network(number),
            identifier=lambda: f"{self._random.getrandbits(256):064x}",
        )
        return runtime, images


class _Machine(NamedTuple):
    """What stays of a node when its agent ends."""

    config: NodeConfig
    facts: HostFacts
    runtime: Runtime
    images: Images


def _network(number: int) -> IPv4Network:
    """Where the pods of the node with this number have their addresses."""
    return IPv4Network((int(_PODS.network_address) + (number << 8), 24))
