"""/metrics of an agent, in upstream's names: what runs here, read off the pods at each exposition."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Iterable
from typing import TYPE_CHECKING

from proa.base.build import KUBERNETES_VERSION
from proa.base.metrics import Metrics, Source
from proa.runtime.protocol import ContainerState

if TYPE_CHECKING:
    from proa.kubelet.kubelet import Kubelet


class KubeletMetrics:
    """The metrics of all nodes this process is."""

    def __init__(self, kubelets: Collection[Kubelet], also: Iterable[Source] = ()) -> None:
        """also: what else the process tells of itself."""
        self._kubelets = kubelets
        self._metrics = Metrics()
        for each in also:
            self._metrics.computed(each)
        build = self._metrics.gauge("kubernetes_build_info", "The version that is served, always 1.", ["git_version"])
        build.labels(KUBERNETES_VERSION).set(1)
        self._names = self._metrics.gauge("kubelet_node_name", "The nodes' names, always 1.", ["node"])
        self._pods = self._metrics.gauge("kubelet_running_pods", "Pods that have a running sandbox.").labels()
        self._containers = self._metrics.gauge(
            "kubelet_running_containers", "Containers by their state.", ["container_state"]
        )

    async def exposition(self) -> bytes:
        """The Prometheus text format."""
        states: Counter[str] = Counter()
        pods = 0
        for kubelet in self._kubelets:
            self._names.labels(kubelet.config.name).set(1)
            for worker in kubelet.pods.workers.values():
                pods += bool(worker.state.alive)
                states.update(status.state.value for status in worker.state.containers)
        self._pods.set(pods)
        for state in ContainerState:
            self._containers.labels(state.value).set(states[state.value])
        return await asyncio.to_thread(self._metrics.exposition)
