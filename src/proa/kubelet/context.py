"""What the workers and steps of one node share while it runs, beside the doors it was given (`services`)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from proa.aio.tasks import TaskScope
from proa.api.core_v1 import Pod
from proa.kubelet.services import Services
from proa.kubelet.statuswriter import StatusWriter
from proa.runtime.protocol import ContainerStatus


@dataclass(frozen=True, slots=True)
class Node:
    """What the workers of one node share. sandboxes: sandbox id to the uid of its pod, for the runtime's events."""

    services: Services
    statuses: StatusWriter
    scope: TaskScope
    sandboxes: dict[str, str]
    finished: Callable[[str], None]


def with_message(services: Services, pod: Pod, status: ContainerStatus) -> ContainerStatus:
    """An exited container with the message it left (ContainerStateTerminated.message)."""
    if status.message:
        return status
    message = services.volumes.termination_message(pod, status)
    return replace(status, message=message) if message else status
