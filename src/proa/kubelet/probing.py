"""Keeps the wanted probes of one pod running and counts their results against the thresholds.

The counting (`Tally`) is pure. Until a container first answers, network probes are repeated at short, growing
intervals within the period; such early failures are not counted, so a slow container is judged by its own thresholds
and a fast one is ready as soon as it is.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace

from proa.aio.backoff import Backoff
from proa.aio.tasks import TaskScope
from proa.api.core_v1 import Pod, Probe
from proa.kubelet.facts import find_container
from proa.kubelet.services import AnyContainer, Services
from proa.kubelet.state import PodState, ProbeKey, ProbeKind
from proa.runtime.protocol import ContainerStatus

_EARLY = Backoff(base=0.05, factor=2.0)
_NAMES = {ProbeKind.STARTUP: "Startup", ProbeKind.READINESS: "Readiness", ProbeKind.LIVENESS: "Liveness"}


@dataclass(frozen=True, slots=True)
class Tally:
    """Results in a row of one probe. `verdict` is None until a threshold was first reached."""

    kind: ProbeKind
    success_threshold: int = 1
    failure_threshold: int = 3
    last: bool | None = None
    run: int = 0
    verdict: bool | None = None

    @classmethod
    def of(cls, kind: ProbeKind, probe: Probe) -> Tally:
        return cls(kind, max(1, probe.successThreshold or 1), max(1, probe.failureThreshold or 3))

    def counted(self, success: bool) -> Tally:
        run = self.run + 1 if success == self.last else 1
        threshold = self.success_threshold if success else self.failure_threshold
        return replace(self, last=success, run=run, verdict=success if run >= threshold else self.verdict)


def probe_of(container: AnyContainer, kind: ProbeKind) -> Probe | None:
    match kind:
        case ProbeKind.STARTUP:
            return container.startupProbe
        case ProbeKind.READINESS:
            return container.readinessProbe
        case _:
            return container.livenessProbe


@dataclass(slots=True)
class _Running:
    container: str
    probe: Probe
    tally: Tally
    timer: asyncio.TimerHandle | None = None
    task: asyncio.Task[None] | None = None
    early: int = 0
    answered: bool = False


class Probing:
    """The probes of one pod; `told` hears of every verdict that differs from the last."""

    def __init__(self, services: Services, scope: TaskScope, told: Callable[[str, ProbeKind, bool], None]) -> None:
        self._services = services
        self._scope = scope
        self._told = told
        self._running: dict[ProbeKey, _Running] = {}
        self._pod: Pod | None = None
        self._state = PodState()

    def run(self, pod: Pod, state: PodState, wanted: frozenset[ProbeKey]) -> None:
        """Run exactly the wanted probes from now on."""
        if not wanted and not self._running:
            return
        self._pod, self._state = pod, state
        for key in self._running.keys() - wanted:
            self._stop(self._running.pop(key))
        for key in wanted - self._running.keys():
            self._start(key)

    def close(self) -> None:
        for each in self._running.values():
            self._stop(each)
        self._running.clear()

    def _start(self, key: ProbeKey) -> None:
        status = self._status(key[0])
        container = find_container(self._pod, status.config.name) if self._pod and status else None
        probe = probe_of(container, key[1]) if container is not None else None
        if status is None or probe is None:
            return
        each = _Running(status.config.name, probe, Tally.of(key[1], probe))
        self._running[key] = each
        due = status.started_at + probe.initialDelaySeconds - self._services.now()
        self._schedule(key, each, max(0.0, due))

    def _stop(self, each: _Running) -> None:
        if each.timer is not None:
            each.timer.cancel()
        if each.task is not None:
            each.task.cancel()

    def _status(self, container_id: str) -> ContainerStatus | None:
        return next((each for each in self._state.containers if each.id == container_id), None)

    def _schedule(self, key: ProbeKey, each: _Running, delay: float) -> None:
        each.timer = asyncio.get_running_loop().call_later(delay, self._due, key, each)

    def _due(self, key: ProbeKey, each: _Running) -> None:
        each.timer = None
        each.task = self._scope.spawn(self._probe(key, each), name=f"probe {each.container} {key[1].value}")

    async def _probe(self, key: ProbeKey, each: _Running) -> None:
        pod, status = self._pod, self._status(key[0])
        container = find_container(pod, each.container) if pod is not None else None
        if pod is None or status is None or container is None:
            return
        began = asyncio.get_running_loop().time()
        success, seen = await self._once(pod, container, status, each.probe)
        each.task = None
        if self._running.get(key) is not each:
            return
        each.answered = each.answered or success
        period = float(each.probe.periodSeconds or 10)
        early = _EARLY.delay(each.early)
        eager = key[1] is not ProbeKind.LIVENESS and each.probe.exec is None
        if not each.answered and eager and 2 * early < period:
            each.early += 1
            self._schedule(key, each, early)
            return
        if not success:
            text = f"{_NAMES[key[1]]} probe failed: {seen}"
            path = f"spec.containers{{{each.container}}}"
            self._services.events.warning(pod, "Unhealthy", text, field_path=path)
        before = each.tally.verdict
        each.tally = each.tally.counted(success)
        self._schedule(key, each, max(0.0, period - (asyncio.get_running_loop().time() - began)))
        if each.tally.verdict is not None and each.tally.verdict != before:
            self._told(key[0], key[1], each.tally.verdict)

    async def _once(self, pod: Pod, container: AnyContainer, status: ContainerStatus, probe: Probe) -> tuple[bool, str]:
        sandbox = self._state.sandbox
        ip = sandbox.ips[0] if sandbox is not None and sandbox.ips else ""
        if pod.spec.hostNetwork:
            ip = self._services.host.ips[0] if self._services.host.ips else "127.0.0.1"
        timeout = float(probe.timeoutSeconds or 1)
        try:
            async with asyncio.timeout(timeout):
                return await self._services.prober.probe(pod, container, status, probe, ip)
        except TimeoutError:
            return False, f"no answer within {timeout:g}s"
