"""What pods use, as /stats/summary (stats/v1alpha1) and /metrics/resource (which metrics-server reads) say it.

CPU is reported as its counter: whoever wants a rate takes two samples.
"""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from proa.machinery.timestamps import from_epoch
from proa.runtime.protocol import ContainerStats, RuntimeFault

if TYPE_CHECKING:
    from proa.kubelet.kubelet import Kubelet

_Owner = tuple[str, str, str, str]


async def _collected(kubelets: Collection[Kubelet]) -> list[tuple[_Owner, ContainerStats]]:
    """Each running container's numbers with its (namespace, pod, uid, container)."""
    found = []
    for kubelet in kubelets:
        owners: dict[str, _Owner] = {}
        for worker in kubelet.pods.workers.values():
            meta = worker.pod.metadata
            for each in worker.state.containers:
                owners[each.id] = (meta.namespace, meta.name, meta.uid, each.config.name)
        try:
            stats = await kubelet.services.runtime.stats()
        except (RuntimeFault, OSError):
            continue  # a node that cannot say is left out, as it is when it is away
        found += [(owners[each.id], each) for each in stats if each.id in owners]
    return found


def _numbers(stats: ContainerStats) -> dict[str, Any]:
    time = from_epoch(stats.timestamp)
    return {
        "cpu": {"time": time, "usageCoreNanoSeconds": stats.cpu_nanoseconds},
        "memory": {"time": time, "workingSetBytes": stats.memory_working_set, "rssBytes": stats.memory_rss},
        "rootfs": {"time": time, "usedBytes": stats.writable_bytes},
    }


async def summary(kubelets: Collection[Kubelet]) -> dict[str, Any]:
    """The Summary document."""
    pods: dict[str, dict[str, Any]] = {}
    for (namespace, name, uid, container), stats in await _collected(kubelets):
        pod = pods.setdefault(
            uid, {"podRef": {"name": name, "namespace": namespace, "uid": uid}, "containers": [], "cpu": 0, "memory": 0}
        )
        pod["containers"].append({"name": container, **_numbers(stats)})
        pod["cpu"] += stats.cpu_nanoseconds
        pod["memory"] += stats.memory_working_set
    for pod in pods.values():
        pod["cpu"] = {"usageCoreNanoSeconds": pod["cpu"]}
        pod["memory"] = {"workingSetBytes": pod["memory"]}
    node = next((each.config.name for each in kubelets), "")
    cpu, memory = _node_usage()
    return {
        "node": {
            "nodeName": node,
            "cpu": {"usageCoreNanoSeconds": cpu},
            "memory": {"workingSetBytes": memory},
        },
        "pods": list(pods.values()),
    }


async def resource_metrics(kubelets: Collection[Kubelet]) -> str:
    """Prometheus text with the names metrics-server looks for."""
    cpu, memory = _node_usage()
    lines = [
        "# TYPE node_cpu_usage_seconds_total counter",
        f"node_cpu_usage_seconds_total {cpu / 1e9}",
        "# TYPE node_memory_working_set_bytes gauge",
        f"node_memory_working_set_bytes {memory}",
    ]
    collected = await _collected(kubelets)
    lines.append("# TYPE container_cpu_usage_seconds_total counter")
    for owner, stats in collected:
        when = int(stats.timestamp * 1000)
        lines.append(f"container_cpu_usage_seconds_total{_label(owner)} {stats.cpu_nanoseconds / 1e9} {when}")
    lines.append("# TYPE container_memory_working_set_bytes gauge")
    for owner, stats in collected:
        when = int(stats.timestamp * 1000)
        lines.append(f"container_memory_working_set_bytes{_label(owner)} {stats.memory_working_set} {when}")
    return "\n".join(lines) + "\n"


def _label(owner: _Owner) -> str:
    namespace, pod, _, container = owner
    return f'{{container="{container}",namespace="{namespace}",pod="{pod}"}}'


def _node_usage() -> tuple[int, int]:
    """The machine's busy CPU time (nanoseconds, all cores) and memory in use (bytes)."""
    with open("/proc/stat", "rb") as file:
        ticks = [int(each) for each in file.readline().split()[1:9]]
    busy = sum(ticks) - ticks[3] - ticks[4]
    memory = {}
    with open("/proc/meminfo", "rb") as file:
        for line in file:
            name, _, value = line.partition(b":")
            memory[name] = int(value.split()[0])
    return busy * 1_000_000_000 // os.sysconf("SC_CLK_TCK"), (memory[b"MemTotal"] - memory[b"MemAvailable"]) << 10
