"""A node in a test: an API of a few dicts, a runtime whose containers run until told otherwise, recorded events."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import pytest

from proa.aio.clock import SystemClock
from proa.api.core_v1 import Container, Pod, PodSpec
from proa.kubelet.images import ImagePuller
from proa.kubelet.pods import Pods
from proa.kubelet.services import NodeConfig, Services
from proa.kubelet.simulated import AnnotatedProbes, NoServices, NoVolumes
from proa.kubelet.status import Host
from proa.machinery.meta import ObjectMeta
from proa.machinery.patch.strategic import strategic
from proa.machinery.schema import schema_of
from proa.machinery.status import conflict, not_found
from proa.runtime.events import Events
from proa.runtime.protocol import (
    ContainerState,
    ContainerStatus,
    Image,
    NotFoundError,
    RuntimeEvent,
    RuntimeFault,
    SandboxState,
    SandboxStatus,
)


class FakeApi:
    """The verbs the kubelet uses, on typed objects."""

    def __init__(self) -> None:
        self.objects: dict[tuple[str, str, str], Any] = {}
        self.version = 0
        self.patches: list[dict[str, Any]] = []
        self.deleted: list[str] = []
        self.watchers: list[Any] = []
        self.fail: list[Exception] = []

    def put(self, resource_plural: str, obj: Any) -> Any:
        self.version += 1
        meta = msgspec.structs.replace(obj.metadata, resourceVersion=str(self.version))
        obj = msgspec.structs.replace(obj, metadata=meta)
        key = (resource_plural, meta.namespace, meta.name)
        old = self.objects.get(key)
        self.objects[key] = obj
        if resource_plural == "pods":
            for told in self.watchers:
                told(old, obj)
        return obj

    async def get(self, resource: Any, name: str, namespace: str = "", **_: Any) -> Any:
        try:
            return self.objects[resource.plural, namespace, name]
        except KeyError:
            raise not_found(resource, name) from None

    async def create(self, resource: Any, obj: Any, **_: Any) -> Any:
        return self.put(resource.plural, obj)

    async def update(self, resource: Any, obj: Any, **_: Any) -> Any:
        return self.put(resource.plural, obj)

    async def patch(self, resource: Any, name: str, namespace: str, patch: Any, **_: Any) -> Any:
        await asyncio.sleep(0)
        if self.fail:
            raise self.fail.pop()
        old = await self.get(resource, name, namespace)
        if patch["metadata"].get("uid", old.metadata.uid) != old.metadata.uid:
            raise conflict(resource, name, "Precondition failed: UID in precondition does not match")
        self.patches.append(patch)
        plain = msgspec.json.decode(msgspec.json.encode(old))
        patch = msgspec.json.decode(msgspec.json.encode(patch))
        document = strategic(plain, patch, schema_of(type(old)))
        return self.put(resource.plural, msgspec.convert(document, type(old)))

    async def delete(self, resource: Any, name: str, namespace: str = "", *, uid: str = "", **_: Any) -> None:
        await asyncio.sleep(0)
        old = await self.get(resource, name, namespace)
        if uid and uid != old.metadata.uid:
            raise conflict(resource, name, "Precondition failed: UID in precondition does not match")
        del self.objects[resource.plural, namespace, name]
        self.deleted.append(name)
        if resource.plural == "pods":
            for told in self.watchers:
                told(old, None)


class FakeRuntime:
    """Containers run until they are stopped or made to `exit`. `broken` maps a verb to what it raises."""

    def __init__(self) -> None:
        self.clock = SystemClock()
        self.boxes: dict[str, SandboxStatus] = {}
        self.made: dict[str, ContainerStatus] = {}
        self.feed = Events()
        self.calls: list[tuple[str, str]] = []
        self.broken: dict[str, list[Exception]] = defaultdict(list)
        self.ignores_term: set[str] = set()
        self.exec_results: dict[str, tuple[int, bytes, bytes]] = {}

    def now(self) -> float:
        return self.clock.now().timestamp()

    def _call(self, verb: str, what: str) -> None:
        self.calls.append((verb, what))
        if self.broken[verb]:
            raise self.broken[verb].pop(0)

    async def run_sandbox(self, config: Any) -> SandboxStatus:
        await asyncio.sleep(0)
        self._call("run_sandbox", config.name)
        n = len(self.boxes) + 1
        status = SandboxStatus(f"sandbox{n}", config, SandboxState.READY, self.now(), (f"10.0.0.{n}",))
        self.boxes[status.id] = status
        return status

    async def stop_sandbox(self, sandbox_id: str) -> None:
        self._call("stop_sandbox", sandbox_id)
        self.boxes[sandbox_id] = replace(self.boxes[sandbox_id], state=SandboxState.NOT_READY)

    async def remove_sandbox(self, sandbox_id: str) -> None:
        self._call("remove_sandbox", sandbox_id)
        del self.boxes[sandbox_id]
        self.made = {i: each for i, each in self.made.items() if each.sandbox_id != sandbox_id}

    async def sandboxes(self) -> list[SandboxStatus]:
        return list(self.boxes.values())

    async def create_container(self, sandbox_id: str, config: Any) -> str:
        await asyncio.sleep(0)
        self._call("create_container", config.name)
        identity = f"{config.name}-{config.attempt}-{len(self.made)}"
        self.made[identity] = ContainerStatus(
            identity, sandbox_id, config, ContainerState.CREATED, self.now(), image_id=f"{config.image}@sha256:1"
        )
        return identity

    async def start_container(self, container_id: str) -> None:
        self._call("start_container", self.made[container_id].config.name)
        self.made[container_id] = replace(self.made[container_id], state=ContainerState.RUNNING, started_at=self.now())

    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        self._call("stop_container", container_id)
        if container_id not in self.made:
            raise NotFoundError(container_id)
        if container_id in self.ignores_term:
            await asyncio.sleep(grace_seconds)
        self.exit(container_id, 137 if container_id in self.ignores_term else 0)

    def exit(self, container_id: str, code: int) -> None:
        old = self.made[container_id]
        if old.state is not ContainerState.EXITED:
            self.made[container_id] = replace(old, state=ContainerState.EXITED, exit_code=code, finished_at=self.now())
            self.feed.publish(RuntimeEvent("stopped", old.sandbox_id, container_id))

    async def remove_container(self, container_id: str) -> None:
        self._call("remove_container", container_id)
        del self.made[container_id]

    async def containers(self, sandbox_id: str = "") -> list[ContainerStatus]:
        return [each for each in self.made.values() if sandbox_id in ("", each.sandbox_id)]

    async def container(self, container_id: str) -> ContainerStatus:
        try:
            return self.made[container_id]
        except KeyError:
            raise NotFoundError(container_id) from None

    async def exec_sync(self, container_id: str, command: Any, timeout: float) -> tuple[int, bytes, bytes]:
        self._call("exec_sync", " ".join(command))
        return self.exec_results.get(command[0], (0, b"", b""))

    def events(self) -> Any:
        return self.feed.subscribe()


class FakeImages:
    def __init__(self) -> None:
        self.present: dict[str, Image] = {}
        self.broken: list[RuntimeFault] = []
        self.pulled: list[str] = []

    async def find(self, reference: str) -> Image | None:
        return self.present.get(reference)

    async def pull(self, reference: str, auth: Any = ()) -> Image:
        await asyncio.sleep(0)
        self.pulled.append(reference)
        if self.broken:
            raise self.broken.pop(0)
        image = self.present[reference] = Image("sha256:1", (reference,), (), 1234)
        return image


class FakeObjects:
    """ConfigMaps and Secrets straight from the fake API."""

    def __init__(self, api: FakeApi) -> None:
        self.api = api

    async def get(self, resource: Any, namespace: str, name: str, pod_uid: str) -> Any:
        return self.api.objects.get((resource.plural, namespace, name))

    def release(self, pod_uid: str) -> None:
        return None


class FakeEvents:
    def __init__(self) -> None:
        self.told: list[tuple[str, str, str]] = []

    def event(self, about: Any, type: str, reason: str, message: str, *, field_path: str = "") -> None:
        self.told.append((type, reason, message))

    def normal(self, about: Any, reason: str, message: str, *, field_path: str = "") -> None:
        self.event(about, "Normal", reason, message)

    def warning(self, about: Any, reason: str, message: str, *, field_path: str = "") -> None:
        self.event(about, "Warning", reason, message)

    @property
    def reasons(self) -> list[str]:
        return [reason for _, reason, _ in self.told]


@dataclass
class World:
    """A node and everything around it. `start()` begins; a second `Pods` over the same world is a restarted agent."""

    clock: Any
    api: FakeApi = field(default_factory=FakeApi)
    runtime: FakeRuntime = field(default_factory=FakeRuntime)
    images: FakeImages = field(default_factory=FakeImages)
    events: FakeEvents = field(default_factory=FakeEvents)
    volumes: Any = field(default_factory=NoVolumes)
    prober: Any = field(default_factory=AnnotatedProbes)
    config: NodeConfig = field(default_factory=lambda: NodeConfig(name="node-1"))
    pods: Any = None

    def services(self) -> Services:
        return Services(
            config=self.config,
            client=self.api,  # type: ignore[arg-type]
            runtime=self.runtime,  # type: ignore[arg-type]
            images=ImagePuller(self.images),  # type: ignore[arg-type]
            volumes=self.volumes,
            objects=FakeObjects(self.api),
            services=NoServices(),
            events=self.events,  # type: ignore[arg-type]
            prober=self.prober,
            host=Host(("192.168.0.1",)),
            clock=self.clock,
        )

    async def start(self) -> None:
        self.runtime.clock = self.clock
        self.pods = Pods(self.services())
        await self.pods.start()
        self.api.watchers = [self.pods.pod_changed]
        for (plural, _, _), obj in list(self.api.objects.items()):
            if plural == "pods":
                self.pods.pod_changed(None, obj)
        await self.pods.remove_orphans()

    async def close(self) -> None:
        self.api.watchers = []
        await self.pods.close()

    def create(self, pod: Pod) -> Pod:
        made: Pod = self.api.put("pods", pod)
        return made

    def pod(self, name: str = "web") -> Pod:
        pod: Pod = self.api.objects["pods", "default", name]
        return pod

    def delete(self, name: str = "web", grace: int = 30) -> None:
        from proa.machinery.timestamps import from_epoch

        pod = self.pod(name)
        meta = msgspec.structs.replace(
            pod.metadata,
            deletionTimestamp=from_epoch(self.clock.now().timestamp() + grace),
            deletionGracePeriodSeconds=grace,
        )
        self.api.put("pods", msgspec.structs.replace(pod, metadata=meta))

    def running(self, name: str) -> list[str]:
        return [
            each.id
            for each in self.runtime.made.values()
            if each.config.name == name and each.state is ContainerState.RUNNING
        ]


def _make_pod(*containers: Container, name: str = "web", **spec: Any) -> Pod:
    group = containers or (Container(name="app", image="app:1"),)
    return Pod(
        metadata=ObjectMeta(name=name, namespace="default", uid=f"uid-{name}", generation=1),
        spec=PodSpec(containers=group, nodeName="node-1", **{"restartPolicy": "Always", **spec}),
    )


@pytest.fixture
def make_pod() -> Any:
    return _make_pod


@pytest.fixture
def make_world() -> Any:
    return World
