"""What a pod's status means: phase, conditions, readiness, availability (core/v1 PodStatus)."""

from __future__ import annotations

from datetime import datetime, timedelta

from proa.api.core_v1 import Pod, PodCondition, PodSpec
from proa.machinery.timestamps import parse

PENDING, RUNNING, SUCCEEDED, FAILED, UNKNOWN = "Pending", "Running", "Succeeded", "Failed", "Unknown"

READY = "Ready"


def condition_of(pod: Pod, type: str) -> PodCondition | None:
    """The condition of this type."""
    for condition in pod.status.conditions:
        if condition.type == type:
            return condition
    return None


def is_condition_true(pod: Pod, type: str) -> bool:
    condition = condition_of(pod, type)
    return condition is not None and condition.status == "True"


def is_pod_ready(pod: Pod) -> bool:
    """Condition Ready is True: it may serve."""
    return is_condition_true(pod, READY)


def is_terminal(pod: Pod) -> bool:
    """It ran to its end: no container of it will run again."""
    return pod.status.phase in (SUCCEEDED, FAILED)


def is_active(pod: Pod) -> bool:
    """It counts as a replica: not ended and not being deleted."""
    return pod.status.phase not in (SUCCEEDED, FAILED) and pod.metadata.deletionTimestamp is None


def is_terminating(pod: Pod) -> bool:
    """Being deleted, and not yet ended."""
    return pod.metadata.deletionTimestamp is not None and pod.status.phase not in (SUCCEEDED, FAILED)


def ready_since(pod: Pod) -> datetime | None:
    """When it became ready; None while it is not."""
    condition = condition_of(pod, READY)
    if condition is None or condition.status != "True" or not condition.lastTransitionTime:
        return None
    return parse(condition.lastTransitionTime)


def is_pod_available(pod: Pod, min_ready_seconds: int, now: datetime) -> bool:
    """Ready for at least `min_ready_seconds` (spec.minReadySeconds of its workload)."""
    if not is_pod_ready(pod):
        return False
    return min_ready_seconds == 0 or available_in(pod, min_ready_seconds, now) == 0


def available_in(pod: Pod, min_ready_seconds: int, now: datetime) -> float | None:
    """Seconds until it is available if nothing changes: 0 when it is, None while it is not ready."""
    since = ready_since(pod)
    if since is None:
        return 0.0 if min_ready_seconds == 0 and is_pod_ready(pod) else None
    return max(0.0, (since + timedelta(seconds=min_ready_seconds) - now).total_seconds())


def container_restarts(pod: Pod) -> int:
    """The largest restart count of its containers."""
    return max((status.restartCount for status in pod.status.containerStatuses), default=0)


def find_port(spec: PodSpec, port: int | str | None, protocol: str) -> int | None:
    """The number a Service's `targetPort` means in this pod: itself, or the container port of that name.

    Init containers that keep running (restartPolicy Always) serve too. None when no port has the name and protocol.
    """
    if isinstance(port, int):
        return port
    serving = [*spec.containers, *(each for each in spec.initContainers if each.restartPolicy == "Always")]
    for container in serving:
        for declared in container.ports:
            if declared.name == port and (declared.protocol or "TCP") == (protocol or "TCP"):
                return declared.containerPort
    return None
