"""The container runtime protocol: CRI v1's nouns and verbs as Python types.

Three implementations pass one contract suite: `embedded`, `containerd` and `fake`. The kubelet knows nothing below
this module. Names follow the CRI (k8s.io/cri-api v1); times are seconds since the epoch; sizes are bytes.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Protocol

from proa.base.errors import ProaError


class SandboxState(Enum):
    READY = "ready"
    NOT_READY = "notready"


class ContainerState(Enum):
    CREATED = "created"
    RUNNING = "running"
    EXITED = "exited"
    UNKNOWN = "unknown"


class NamespaceMode(Enum):
    """Which process set shares a namespace (CRI NamespaceMode)."""

    POD = "pod"
    CONTAINER = "container"
    NODE = "node"


@dataclass(frozen=True, slots=True)
class PortMapping:
    host_port: int
    container_port: int
    protocol: str = "TCP"
    host_ip: str = ""


@dataclass(frozen=True, slots=True)
class SandboxConfig:
    """What a pod's sandbox is made of: its network, names and cgroup parent. `attempt` counts re-creations."""

    name: str
    namespace: str
    uid: str
    attempt: int = 0
    hostname: str = ""
    log_directory: Path | None = None
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    network: NamespaceMode = NamespaceMode.POD
    pid: NamespaceMode = NamespaceMode.CONTAINER
    ipc: NamespaceMode = NamespaceMode.POD
    sysctls: Mapping[str, str] = field(default_factory=dict)
    port_mappings: tuple[PortMapping, ...] = ()
    cgroup_parent: str = ""
    qos: str = "BestEffort"
    runtime_handler: str = ""
    memory_limit: int | None = None
    cpu_shares: int | None = None
    cpu_quota: int | None = None


@dataclass(frozen=True, slots=True)
class Mount:
    """A host file or directory in a container. propagation: 'None', 'HostToContainer' or 'Bidirectional'.

    `sub_path` is resolved below `host_path` by the runtime at mount time and can not leave it through symbolic links
    (the pod API's volumeMounts.subPath); a missing one is created as a directory.
    """

    host_path: Path
    container_path: str
    readonly: bool = False
    propagation: str = "None"
    recursive_readonly: bool = False
    sub_path: str = ""


@dataclass(frozen=True, slots=True)
class Device:
    host_path: Path
    container_path: str
    permissions: str = "rwm"


@dataclass(frozen=True, slots=True)
class LinuxResources:
    """cgroup limits. cpu_shares as in cgroup v1 (2..262144), quota and period in microseconds."""

    cpu_shares: int | None = None
    cpu_quota: int | None = None
    cpu_period: int = 100_000
    memory_limit: int | None = None
    pids_limit: int | None = None
    oom_score_adj: int | None = None
    hugepages: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class SecurityContext:
    """As the CRI's LinuxContainerSecurityContext. seccomp: 'RuntimeDefault', 'Unconfined' or 'localhost/<path>'."""

    privileged: bool = False
    user: int | None = None
    username: str = ""
    group: int | None = None
    supplemental_groups: tuple[int, ...] = ()
    readonly_rootfs: bool = False
    no_new_privileges: bool = False
    add_capabilities: tuple[str, ...] = ()
    drop_capabilities: tuple[str, ...] = ()
    seccomp: str = "RuntimeDefault"
    masked_paths: tuple[str, ...] | None = None
    readonly_paths: tuple[str, ...] | None = None
    pid: NamespaceMode = NamespaceMode.CONTAINER
    target_container: str = ""


@dataclass(frozen=True, slots=True)
class ContainerConfig:
    """One container. `command` replaces the image's entrypoint and `args` its cmd, as in a pod spec."""

    name: str
    image: str
    attempt: int = 0
    command: tuple[str, ...] = ()
    args: tuple[str, ...] = ()
    working_dir: str = ""
    env: tuple[tuple[str, str], ...] = ()
    mounts: tuple[Mount, ...] = ()
    devices: tuple[Device, ...] = ()
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    log_path: str = ""
    stdin: bool = False
    stdin_once: bool = False
    tty: bool = False
    stop_signal: str = ""
    resources: LinuxResources = LinuxResources()
    security: SecurityContext = SecurityContext()


@dataclass(frozen=True, slots=True)
class SandboxStatus:
    id: str
    config: SandboxConfig
    state: SandboxState
    created_at: float
    ips: tuple[str, ...] = ()
    pid: int = 0


@dataclass(frozen=True, slots=True)
class ContainerStatus:
    """`image_id` is the image's digest reference; `reason` is 'Completed', 'Error', 'OOMKilled' or 'StartError'."""

    id: str
    sandbox_id: str
    config: ContainerConfig
    state: ContainerState
    created_at: float
    started_at: float = 0.0
    finished_at: float = 0.0
    exit_code: int = 0
    signal: int = 0
    reason: str = ""
    message: str = ""
    image_id: str = ""
    pid: int = 0
    log_path: Path | None = None


@dataclass(frozen=True, slots=True)
class Image:
    """`id` is the config digest. `user` as in the image config ('', 'uid', 'uid:gid', 'name')."""

    id: str
    tags: tuple[str, ...]
    digests: tuple[str, ...]
    size: int
    user: str = ""


@dataclass(frozen=True, slots=True)
class ImageAuth:
    """Credentials for one registry, from a kubernetes.io/dockerconfigjson secret."""

    username: str = ""
    password: str = ""
    identity_token: str = ""
    registry_token: str = ""


@dataclass(frozen=True, slots=True)
class ContainerStats:
    """cpu in core-nanoseconds since start; memory working set, rss and writable layer in bytes."""

    id: str
    timestamp: float
    cpu_nanoseconds: int
    memory_working_set: int
    memory_rss: int
    writable_bytes: int = 0


@dataclass(frozen=True, slots=True)
class RuntimeEvent:
    """What happened to a container or sandbox: 'created', 'started', 'stopped', 'deleted' (CRI ContainerEventType)."""

    kind: str
    sandbox_id: str
    container_id: str = ""


class RuntimeFault(ProaError):
    """A verb failed for a reason of its own; `reason` is a waiting reason of the kubelet's (CreateContainerError)."""

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class NotFoundError(RuntimeFault):
    """No such sandbox, container or image."""


class Streams(Protocol):
    """A running exec or attach: bytes in, bytes out, one exit code."""

    @property
    def stdout(self) -> asyncio.StreamReader: ...
    @property
    def stderr(self) -> asyncio.StreamReader | None: ...
    async def write(self, data: bytes) -> None:
        """Write to stdin; waits while the process does not read."""

    async def close_stdin(self) -> None: ...
    async def resize(self, width: int, height: int) -> None: ...
    async def wait(self) -> int:
        """The exit code; 128 + signal for a killed process. For attach: when the container ends."""

    async def close(self) -> None:
        """Give up the session: an exec'd process is killed, an attached one is left alone."""


class Runtime(Protocol):
    """The CRI's RuntimeService."""

    async def version(self) -> tuple[str, str]:
        """The runtime's name and version."""

    async def ready(self) -> dict[str, str]:
        """Unmet conditions by name ('RuntimeReady', 'NetworkReady') with the reason; empty when all is well."""

    async def run_sandbox(self, config: SandboxConfig) -> SandboxStatus: ...
    async def stop_sandbox(self, sandbox_id: str) -> None:
        """Kill what is left in it and release its network. Idempotent."""

    async def remove_sandbox(self, sandbox_id: str) -> None: ...
    async def sandboxes(self) -> Sequence[SandboxStatus]: ...
    async def create_container(self, sandbox_id: str, config: ContainerConfig) -> str: ...
    async def start_container(self, container_id: str) -> None: ...
    async def stop_container(self, container_id: str, grace_seconds: float) -> None:
        """The stop signal, then after the grace SIGKILL; returns when it has exited. Idempotent."""

    async def remove_container(self, container_id: str) -> None: ...
    async def containers(self, sandbox_id: str = "") -> Sequence[ContainerStatus]: ...
    async def container(self, container_id: str) -> ContainerStatus: ...
    async def update_resources(self, container_id: str, resources: LinuxResources) -> None: ...
    async def reopen_log(self, container_id: str) -> None: ...
    async def exec(
        self, container_id: str, command: Sequence[str], *, tty: bool = False, stdin: bool = False
    ) -> Streams: ...
    async def exec_sync(self, container_id: str, command: Sequence[str], timeout: float) -> tuple[int, bytes, bytes]:
        """Exit code, stdout, stderr; raises TimeoutError after killing it."""

    async def attach(self, container_id: str) -> Streams: ...
    async def port_forward(self, sandbox_id: str, port: int) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        """A connection to localhost:`port` inside the sandbox's network namespace."""

    async def stats(self) -> Sequence[ContainerStats]: ...
    def events(self) -> AsyncIterator[RuntimeEvent]:
        """From now on. A reader re-lists after (re)subscribing; events carry identities, not truth."""

    async def close(self) -> None:
        """Let go of the runtime; running containers stay."""


class Images(Protocol):
    """The CRI's ImageService."""

    async def pull(self, reference: str, auth: Sequence[ImageAuth] = ()) -> Image:
        """Raises RuntimeFault with reason ErrImagePull, InvalidImageName or RegistryUnavailable."""

    async def find(self, reference: str) -> Image | None: ...
    async def images(self) -> Sequence[Image]: ...
    async def remove(self, reference: str) -> None: ...
    async def disk_usage(self) -> int: ...
