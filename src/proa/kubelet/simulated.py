"""Nodes without a machine: what the kubelet of a simulated node uses in place of files, probes and references.

Everything else (state machine, status, events) is the real kubelet's, over the fake runtime.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from proa.api.core_v1 import Pod, Probe, Service
from proa.kubelet.services import AnyContainer
from proa.runtime.protocol import ContainerStatus, Mount


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
