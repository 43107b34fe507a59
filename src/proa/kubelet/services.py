"""What a pod's steps work with: the doors of one node, injected, so that a simulated node differs only in them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from proa.aio.clock import Clock
from proa.api.core_v1 import Container, EphemeralContainer, Pod, Probe, Service
from proa.base.errors import ProaError
from proa.client.events import EventRecorder
from proa.client.protocol import Client
from proa.kubelet.images import ImagePuller
from proa.kubelet.status import Host
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.runtime.protocol import ContainerStatus, Mount, Runtime, SandboxStatus

T = TypeVar("T", bound=Object)

AnyContainer = Container | EphemeralContainer


class StepError(ProaError):
    """A step could not do its part.

    reason: the container's waiting reason. events: (reason, message) of the Warnings to tell. container: how the
    container is that the step had already made.
    """

    def __init__(
        self,
        reason: str,
        message: str,
        *,
        events: Sequence[tuple[str, str]] = (),
        container: ContainerStatus | None = None,
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.events = events
        self.container = container


class Objects(Protocol):
    """The objects pods refer to (ConfigMaps, Secrets): fetched when first asked for, kept current while in use."""

    async def get(self, resource: Resource[T], namespace: str, name: str, pod_uid: str) -> T | None:
        """The object, or None when there is none. `pod_uid` uses it from now on and is told of its changes."""

    def release(self, pod_uid: str) -> None:
        """The pod uses nothing any more."""


class ServiceLister(Protocol):
    """The services a pod's environment tells of."""

    async def synced(self) -> None: ...
    def visible(self, namespace: str) -> Iterable[Service]:
        """The services of `namespace`, and the API server's own."""


class Volumes(Protocol):
    """The files a pod's containers see."""

    async def set_up(self, pod: Pod) -> None:
        """Make or refresh every volume. Raises StepError naming the volume."""

    async def mounts(
        self, pod: Pod, container: AnyContainer, attempt: int, env: Mapping[str, str], ips: Sequence[str]
    ) -> tuple[Mount, ...]:
        """The container's mounts, its managed files (hosts, resolv.conf, termination log) among them."""

    async def tear_down(self, uid: str) -> None:
        """Unmount and delete everything of the pod. Idempotent."""

    def termination_message(self, pod: Pod, status: ContainerStatus) -> str:
        """What the container left at its terminationMessagePath."""

    def log_directory(self, pod: Pod) -> Path | None:
        """Where the pod's logs are; None when none are kept."""

    def remove_logs(self, pod: Pod) -> None: ...


class Prober(Protocol):
    """Runs one probe once."""

    async def probe(
        self, pod: Pod, container: AnyContainer, status: ContainerStatus, probe: Probe, ip: str
    ) -> tuple[bool, str]:
        """Success, and what was seen. A probe that cannot be run has failed."""


@dataclass(frozen=True, slots=True)
class NodeConfig:
    """What the operator says of a node. Sizes in bytes, times in seconds.

    capacity: overrides of what is found on the host ('cpu', 'memory', 'pods', 'ephemeral-storage').
    reserved: kept back from pods (allocatable = capacity - reserved).
    pod_cidr: the node says itself where its pods' addresses come from; '': the cluster's controller assigns it.
    """

    name: str
    addresses: tuple[str, ...] = ()
    labels: dict[str, str] = field(default_factory=dict)
    taints: tuple[Any, ...] = ()
    root: Path = Path("/var/lib/kubelet")
    log_root: Path = Path("/var/log/pods")
    port: int = 10250
    cluster_dns: tuple[str, ...] = ()
    cluster_domain: str = "cluster.local"
    resolv_conf: Path = Path("/etc/resolv.conf")
    capacity: dict[str, str] = field(default_factory=dict)
    reserved: dict[str, str] = field(default_factory=dict)
    max_pods: int = 110
    cgroup_root: str = "kubepods"
    relist_period: float = 60.0
    log_max_size: int = 10 << 20
    log_max_files: int = 5
    image_parallelism: int = 5
    pod_cidr: str = ""
    provider_id: str = ""


@dataclass(frozen=True, slots=True)
class Services:
    """One node's doors."""

    config: NodeConfig
    client: Client
    runtime: Runtime
    images: ImagePuller
    volumes: Volumes
    objects: Objects
    services: ServiceLister
    events: EventRecorder
    prober: Prober
    host: Host
    clock: Clock

    def now(self) -> float:
        """Seconds since the epoch."""
        return self.clock.now().timestamp()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a step made known: a sandbox or container as it now is, or the image it found."""

    sandbox: SandboxStatus | None = None
    container: ContainerStatus | None = None
    image: str = ""
