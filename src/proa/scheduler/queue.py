"""The queue of pods that have no node yet, as a pure state machine: time comes in as a number, nothing waits here.

A pod is in one of four places: active (try it now, by priority, then by arrival), backing off (its last try failed a
moment ago), waiting (nothing has happened that could help it) or gated (it may not be tried). Happenings move waiting
pods on; a pod that has waited for minutes is tried anyway, in case a happening was missed.
"""

from __future__ import annotations

import heapq
from dataclasses import dataclass, field
from itertools import count

from proa.api.core_v1 import Pod
from proa.scheduler.framework import Happening

FIRST_BACKOFF = 1.0
LAST_BACKOFF = 10.0
LONGEST_WAIT = 300.0


@dataclass(slots=True)
class QueuedPod:
    """A pod and its history here. `place` is where it is; an entry of a heap whose ticket is not `ticket` is stale."""

    key: str
    pod: Pod
    attempts: int = 0
    place: str = ""
    ticket: int = -1
    waiting_since: float = 0.0
    retry_on: Happening = field(default_factory=lambda: Happening(0))
    backoff_until: float = 0.0


class SchedulingQueue:
    """`pop(now)` hands out the next pod to try; it is then nowhere until it comes back or is removed."""

    def __init__(self) -> None:
        self._pods: dict[str, QueuedPod] = {}
        self._active: list[tuple[int, int, str]] = []
        self._backing_off: list[tuple[float, int, str]] = []
        self._waiting: dict[str, QueuedPod] = {}
        self._tickets = count()

    def put(self, key: str, pod: Pod, *, admitted: bool = True) -> None:
        """A pod without a node appeared or changed. A change of the pod itself is worth a try."""
        queued = self._pods.get(key)
        if queued is None:
            queued = self._pods[key] = QueuedPod(key, pod)
        queued.pod = pod
        if not admitted:
            self._move(queued, "gated")
        elif queued.place in ("", "gated"):
            self._activate(queued)

    def changed(self, key: str, now: float) -> None:
        """The pod's own requirements changed: whatever refused it may not any more."""
        queued = self._waiting.get(key)
        if queued is not None:
            self._resume(queued, now)

    def remove(self, key: str) -> None:
        """The pod has a node, or is gone."""
        queued = self._pods.pop(key, None)
        if queued is not None:
            self._move(queued, "removed")

    def pop(self, now: float) -> QueuedPod | None:
        """The next pod to try, None when there is none right now."""
        self._flush(now)
        while self._active:
            _, ticket, key = heapq.heappop(self._active)
            queued = self._pods.get(key)
            if queued is not None and queued.ticket == ticket and queued.place == "active":
                queued.attempts += 1
                self._move(queued, "in flight")
                return queued
        return None

    def refuse(self, queued: QueuedPod, retry_on: Happening, now: float) -> None:
        """No node would do: wait for one of these happenings."""
        if self._pods.get(queued.key) is not queued:
            return
        queued.retry_on = retry_on
        queued.waiting_since = now
        queued.backoff_until = now + self._backoff(queued)
        self._move(queued, "waiting")
        self._waiting[queued.key] = queued

    def fail(self, queued: QueuedPod, now: float) -> None:
        """The try failed for a reason of ours (a refused bind): again after a backoff."""
        if self._pods.get(queued.key) is queued:
            queued.backoff_until = now + self._backoff(queued)
            self._back_off(queued)

    def happened(self, happening: Happening, now: float) -> int:
        """Something changed in the cluster; how many waiting pods it moved on."""
        moved = [each for each in self._waiting.values() if each.retry_on & happening]
        for each in moved:
            self._resume(each, now)
        return len(moved)

    def next_due(self) -> float | None:
        """When `pop` may have something again without anything happening; None: not by time alone."""
        due = [self._backing_off[0][0]] if self._backing_off else []
        due += [each.waiting_since + LONGEST_WAIT for each in self._waiting.values()]
        return min(due, default=None)

    def statistics(self) -> dict[str, int]:
        places = ("active", "backing off", "waiting", "gated", "in flight")
        counted = dict.fromkeys(places, 0)
        for each in self._pods.values():
            counted[each.place] += 1
        return counted

    def _flush(self, now: float) -> None:
        while self._backing_off and self._backing_off[0][0] <= now:
            _, ticket, key = heapq.heappop(self._backing_off)
            queued = self._pods.get(key)
            if queued is not None and queued.ticket == ticket:
                self._activate(queued)
        for each in [one for one in self._waiting.values() if now - one.waiting_since >= LONGEST_WAIT]:
            self._activate(each)

    def _resume(self, queued: QueuedPod, now: float) -> None:
        if queued.backoff_until > now:
            self._back_off(queued)
        else:
            self._activate(queued)

    def _activate(self, queued: QueuedPod) -> None:
        self._move(queued, "active")
        heapq.heappush(self._active, (-(queued.pod.spec.priority or 0), queued.ticket, queued.key))

    def _back_off(self, queued: QueuedPod) -> None:
        self._move(queued, "backing off")
        heapq.heappush(self._backing_off, (queued.backoff_until, queued.ticket, queued.key))

    def _move(self, queued: QueuedPod, place: str) -> None:
        self._waiting.pop(queued.key, None)
        queued.place = place
        queued.ticket = next(self._tickets)

    def _backoff(self, queued: QueuedPod) -> float:
        return min(FIRST_BACKOFF * 2.0 ** (queued.attempts - 1), LAST_BACKOFF)
