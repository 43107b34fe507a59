"""What `proa status` shows: processes as the kernel sees them, the rest as the API tells."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from proa.base.errors import ProaError
from proa.cluster import health, processes, verify
from proa.cluster.paths import ClusterPaths
from proa.cluster.processes import Identity
from proa.cluster.settings import Settings
from proa.linux import process


@dataclass(frozen=True, slots=True)
class ComponentStatus:
    """uptime: seconds. resident: bytes. cpu: seconds used so far. pid 0: does not run."""

    name: str
    pid: int = 0
    uptime: float = 0.0
    resident: int = 0
    cpu: float = 0.0

    @property
    def cpu_share(self) -> float:
        """Of one core, since it started."""
        return self.cpu / self.uptime if self.uptime > 0 else 0.0


@dataclass(frozen=True, slots=True)
class NodeStatus:
    """One Node of the API. addresses: by type."""

    name: str
    ready: bool
    addresses: dict[str, str]
    pod_cidr: str


@dataclass(frozen=True, slots=True)
class ClusterStatus:
    """api_fault, dns_fault: '' when well. store: bytes on disk. pod_processes: how many are shims or run in them."""

    name: str
    root: str
    server: str
    kubeconfig: str
    pod_cidr: str
    service_cidr: str
    dns_address: str
    components: tuple[ComponentStatus, ...]
    pod_processes: int
    pod_resident: int
    api_fault: str
    dns_fault: str
    nodes: tuple[NodeStatus, ...]
    store: int

    @property
    def running(self) -> bool:
        return all(each.pid for each in self.components)

    @property
    def well(self) -> bool:
        """Everything that should be there is, and answers."""
        return self.running and not self.api_fault and not self.dns_fault and all(each.ready for each in self.nodes)


def status(paths: ClusterPaths, settings: Settings) -> ClusterStatus:
    """Look now. What does not answer is said, not raised."""
    alive = processes.all_running(paths)
    wanted = [each.name for each in processes.components(paths, settings)]
    names = [*wanted, *(name for name in alive if name not in wanted)]
    components = tuple(_component(name, alive.get(name)) for name in names)
    own = {identity.pid for identity in alive.values()}
    others = [each for each in verify.processes_of(paths, settings) if each.pid not in own]
    api_fault: str = "not running"
    nodes: tuple[NodeStatus, ...] = ()
    if processes.SERVER in alive:
        api_fault, nodes = _ask(paths)
    return ClusterStatus(
        settings.name,
        str(paths.root),
        settings.server_url,
        str(paths.kubeconfig()),
        settings.pod_cidr,
        settings.service_cidr,
        settings.dns_address,
        components,
        len(others),
        sum(_resident(each.pid) for each in others),
        api_fault,
        _dns_fault(settings, running=bool(alive)),
        nodes,
        sum(each.stat().st_size for each in paths.store.rglob("*")),
    )


def _dns_fault(settings: Settings, *, running: bool) -> str:
    if not settings.nodes:
        return ""  # simulated nodes serve none, and nothing runs that would ask
    return health.dns_fault(settings) if running else "not running"


def _component(name: str, identity: Identity | None) -> ComponentStatus:
    if identity is None:
        return ComponentStatus(name)
    try:
        fields = Path(f"/proc/{identity.pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return ComponentStatus(name)
    ticks = os.sysconf("SC_CLK_TCK")
    cpu = (int(fields[11]) + int(fields[12])) / ticks
    return ComponentStatus(name, identity.pid, processes.uptime(identity), _resident(identity.pid), cpu)


def _resident(pid: int) -> int:
    try:
        return process.resident_bytes(pid)
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _ask(paths: ClusterPaths) -> tuple[str, tuple[NodeStatus, ...]]:
    """What is wrong with the API, and its nodes."""
    try:
        client = health.admin_client(paths, timeout=5)
    except (ProaError, OSError) as error:
        return str(error), ()
    try:
        if fault := health.api_fault(client):
            return fault, ()
        return "", tuple(
            NodeStatus(
                name,
                health.is_ready(node),
                {each["type"]: each["address"] for each in (node.get("status") or {}).get("addresses") or ()},
                str((node.get("spec") or {}).get("podCIDR") or ""),
            )
            for name, node in sorted(health.nodes(client).items())
        )
    except ProaError as error:
        return str(error), ()
    finally:
        client.close()
