"""From a pod's resource requirements to what the kernel enforces: shares, quota, memory limit, OOM score."""

from __future__ import annotations

from proa.api.core_v1 import Pod
from proa.kubelet.services import AnyContainer
from proa.machinery.quantity import parse
from proa.rules.qos import BEST_EFFORT, GUARANTEED, qos_class
from proa.rules.resources import CPU, HUGE_PAGES_PREFIX, MEMORY, amounts, pod_limits, pod_requests
from proa.runtime.protocol import LinuxResources

_PERIOD = 100_000  # microseconds
_LEAST_QUOTA = 1_000
_LEAST_SHARES, _MOST_SHARES = 2, 262_144
_OOM_GUARANTEED, _OOM_BEST_EFFORT = -997, 1000
_SYSTEM_CRITICAL_PRIORITY = 2_000_001_000


def cpu_shares(millicores: int) -> int:
    """1024 a core, within the kernel's bounds."""
    return max(_LEAST_SHARES, min(_MOST_SHARES, millicores * 1024 // 1000))


def cpu_quota(millicores: int) -> int | None:
    """Microseconds of CPU in a period of 100 ms; None is unlimited."""
    return max(_LEAST_QUOTA, millicores * _PERIOD // 1000) if millicores else None


def sandbox_resources(pod: Pod) -> LinuxResources:
    """Of the whole pod: a limit only where every container has one (or the pod level says so)."""
    requests, limits = pod_requests(pod), pod_limits(pod)
    pod_level = pod.spec.resources.limits if pod.spec.resources else {}
    containers = [each.resources.limits for each in (*pod.spec.containers, *pod.spec.initContainers)]

    def limited(resource: str) -> int:
        if resource in pod_level or all(each.get(resource) for each in containers):
            return limits.get(resource, 0)
        return 0

    return LinuxResources(
        cpu_shares=cpu_shares(requests.get(CPU, 0)),
        cpu_quota=cpu_quota(limited(CPU)),
        memory_limit=limited(MEMORY) or None,
    )


def container_resources(pod: Pod, container: AnyContainer, memory_capacity: int) -> LinuxResources:
    """Of one container; a limit without a request is also its request."""
    limits = amounts(container.resources.limits)
    requests = {**limits, **amounts(container.resources.requests)}
    return LinuxResources(
        cpu_shares=cpu_shares(requests.get(CPU, 0)),
        cpu_quota=cpu_quota(limits.get(CPU, 0)),
        memory_limit=limits.get(MEMORY) or None,
        oom_score_adj=oom_score_adj(pod, requests.get(MEMORY, 0), memory_capacity),
        hugepages={
            name.removeprefix(HUGE_PAGES_PREFIX): parse(value).value
            for name, value in container.resources.limits.items()
            if name.startswith(HUGE_PAGES_PREFIX)
        },
    )


def oom_score_adj(pod: Pod, memory_request: int, memory_capacity: int) -> int:
    """Who the kernel kills first: BestEffort, then Burstable by how little it asked for, Guaranteed last."""
    if (pod.spec.priority or 0) >= _SYSTEM_CRITICAL_PRIORITY:
        return _OOM_GUARANTEED
    qos = qos_class(pod.spec)
    if qos == GUARANTEED:
        return _OOM_GUARANTEED
    if qos == BEST_EFFORT:
        return _OOM_BEST_EFFORT
    score = 1000 - 1000 * memory_request // max(memory_capacity, 1)
    return max(1000 + _OOM_GUARANTEED, min(score, _OOM_BEST_EFFORT - 1))
