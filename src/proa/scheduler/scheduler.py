"""The driver: turns what the API says into changes of columns and queue, tries pods one after the other, binds.

Choosing a node is synchronous and quick; binding waits for the API and happens for many pods at once. Between tries
the loop gets its turn. Not here: how a node is chosen (`evaluation`), when a pod is tried again (`queue`).
"""

from __future__ import annotations

import asyncio
import logging
from random import Random
from typing import Any

import msgspec

from proa.aio.clock import Clock
from proa.aio.tasks import TaskFailedError, TaskScope
from proa.api.core_v1 import Binding, Node, ObjectReference, Pod, PodCondition
from proa.api.core_v1.resources import NODES, PODS
from proa.client.events import NORMAL, WARNING, EventRecorder
from proa.client.informer import Informers, key_of
from proa.client.protocol import Client
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, is_conflict, is_not_found
from proa.machinery.timestamps import format_time
from proa.rules.pods import condition_of, is_terminal
from proa.scheduler.columns import Columns
from proa.scheduler.evaluation import PodClasses, Refusal
from proa.scheduler.framework import Happening, Profile
from proa.scheduler.ledger import Ledger
from proa.scheduler.queue import QueuedPod, SchedulingQueue

log = logging.getLogger(__name__)

# Seconds of uninterrupted work before the loop gets a turn, and how many binds may be under way.
_TURN = 0.002
_BINDS = 256


class Scheduler:
    """Schedules the pods whose schedulerName is the profile's. `await start()`, `await close()`."""

    def __init__(
        self,
        client: Client,
        informers: Informers,
        recorder: EventRecorder,
        profile: Profile,
        clock: Clock,
        random: Random,
    ) -> None:
        self._client = client
        self._recorder = recorder
        self._profile = profile
        self._clock = clock
        self._random = random
        self._pods = informers.informer(PODS)
        self._nodes = informers.informer(NODES)
        self._columns = Columns()
        self._ledger = Ledger(self._columns)
        self._classes = PodClasses(profile, self._columns)
        self._queue = SchedulingQueue()
        self._wake = asyncio.Event()
        self._binding = asyncio.Semaphore(_BINDS)
        self._scope = TaskScope("scheduler", on_error=_log_failure)
        self._scheduled = 0
        self._refused = 0
        self._failed_binds = 0

    async def start(self) -> None:
        """Learn the cluster, then schedule until closed."""
        self._nodes.on_change(self._node_changed)
        self._pods.on_change(self._pod_changed)
        await self._nodes.synced()
        await self._pods.synced()
        self._scope.spawn_forever(self._run(), name="scheduling")

    async def close(self) -> None:
        await self._scope.close()

    def statistics(self) -> dict[str, Any]:
        return {
            "scheduled": self._scheduled,
            "refused": self._refused,
            "failed_binds": self._failed_binds,
            "classes": len(self._classes),
            "queue": self._queue.statistics(),
            "columns": self._columns.statistics(),
            "ledger": self._ledger.statistics(),
        }

    # What the API says

    def _node_changed(self, old: Node | None, new: Node | None) -> None:
        if new is None:
            assert old is not None
            self._ledger.node_removed(old.metadata.name)
            self._columns.remove_node(old.metadata.name)
            return
        happening = _node_happening(old, new)
        if not happening and old is not None and old.status.images == new.status.images:
            return  # a heartbeat
        is_new = new.metadata.name not in self._columns.row_of
        self._columns.put_node(new)
        if is_new:
            self._ledger.node_appeared(new.metadata.name)
        self._happened(happening)

    def _pod_changed(self, old: Pod | None, new: Pod | None) -> None:
        if new is None:
            assert old is not None
            self._queue.remove(key_of(old))
            if self._ledger.remove(old.metadata.uid):
                self._happened(Happening.POD_REMOVED)
        elif new.spec.nodeName:
            self._queue.remove(key_of(new))
            if self._ledger.put(new):
                self._happened(Happening.POD_REMOVED)
        elif is_terminal(new) or new.metadata.deletionTimestamp is not None:
            self._queue.remove(key_of(new))
        elif new.spec.schedulerName == self._profile.scheduler_name:
            self._queue.put(key_of(new), new, admitted=all(each.admits(new) for each in self._profile.pre_enqueue))
            if old is not None and (old.spec != new.spec or old.metadata.labels != new.metadata.labels):
                self._queue.changed(key_of(new), self._clock.monotonic())
            self._wake.set()

    def _happened(self, happening: Happening) -> None:
        if happening and self._queue.happened(happening, self._clock.monotonic()):
            self._wake.set()

    # Trying pods

    async def _run(self) -> None:
        while True:
            await self._schedule_active()
            self._wake.clear()
            due = self._queue.next_due()
            wait = None if due is None else max(due - self._clock.monotonic(), 0.0)
            if wait == 0.0:
                continue
            try:
                async with asyncio.timeout(wait):
                    await self._wake.wait()
            except TimeoutError:
                pass

    async def _schedule_active(self) -> None:
        turn_ends = self._clock.monotonic() + _TURN
        while (queued := self._queue.pop(self._clock.monotonic())) is not None:
            self._try(queued)
            await self._make_room()
            if self._clock.monotonic() >= turn_ends:
                await asyncio.sleep(0)
                turn_ends = self._clock.monotonic() + _TURN

    async def _make_room(self) -> None:
        """Wait while as many binds are under way as may be."""
        await self._binding.acquire()
        self._binding.release()

    def _try(self, queued: QueuedPod) -> None:
        pod = queued.pod
        pod_class = self._classes.of(pod)
        choice = pod_class.best(self._random)
        if isinstance(choice, Refusal):
            self._refused += 1
            self._queue.refuse(queued, choice.retry_on, self._clock.monotonic())
            self._scope.spawn(self._tell_unschedulable(pod, choice.message), name=f"refuse {queued.key}")
            return
        node = self._columns.names[choice]
        self._ledger.assume(pod.metadata.uid, node, pod_class.demand)
        self._scope.spawn(self._bind(queued, node), name=f"bind {queued.key}")

    async def _bind(self, queued: QueuedPod, node: str) -> None:
        pod = queued.pod
        metadata = pod.metadata
        binding = Binding(
            metadata=ObjectMeta(name=metadata.name, namespace=metadata.namespace, uid=metadata.uid),
            target=ObjectReference(kind="Node", name=node),
        )
        async with self._binding:
            try:
                await self._client.post(PODS, metadata.name, metadata.namespace, "binding", binding)
            except StatusError as error:
                self._bind_failed(queued, node, error)
                return
        self._scheduled += 1
        message = f"Successfully assigned {metadata.namespace}/{metadata.name} to {node}"
        self._recorder.event(pod, NORMAL, "Scheduled", message)

    def _bind_failed(self, queued: QueuedPod, node: str, error: StatusError) -> None:
        self._failed_binds += 1
        self._ledger.forget(queued.pod.metadata.uid)
        if is_not_found(error) or is_conflict(error):
            # Deleted or bound by another meanwhile; if it still waits for a node, the informer has said so.
            log.info("cannot bind %s to %s: %s", queued.key, node, error.message)
        else:
            log.warning("cannot bind %s to %s: %s", queued.key, node, error.message)
            self._recorder.event(queued.pod, WARNING, "FailedScheduling", f"binding rejected: {error.message}")
        self._queue.fail(queued, self._clock.monotonic())
        self._wake.set()

    async def _tell_unschedulable(self, pod: Pod, message: str) -> None:
        self._recorder.event(pod, WARNING, "FailedScheduling", message)
        current = condition_of(pod, "PodScheduled")
        if current is not None and current.status == "False" and current.message == message:
            return
        condition = PodCondition(
            type="PodScheduled",
            status="False",
            reason="Unschedulable",
            message=message,
            lastTransitionTime=format_time(self._clock.now()),
        )
        patch = {"status": {"conditions": [msgspec.to_builtins(condition)]}}
        metadata = pod.metadata
        try:
            await self._client.patch(PODS, metadata.name, metadata.namespace, patch, subresource="status")
        except StatusError as error:
            if not is_not_found(error):
                log.warning("cannot say why %s/%s has no node: %s", metadata.namespace, metadata.name, error.message)


def _log_failure(error: TaskFailedError) -> None:
    log.error("%s", error, exc_info=error.__cause__)


def _node_happening(old: Node | None, new: Node) -> Happening:
    """What a change of a node may mean to waiting pods; nothing for a heartbeat."""
    if old is None:
        return Happening.NODE_ADDED
    found = Happening(0)
    if old.status.allocatable != new.status.allocatable:
        found |= Happening.NODE_ALLOCATABLE
    if old.metadata.labels != new.metadata.labels:
        found |= Happening.NODE_LABELS
    if old.spec.taints != new.spec.taints or old.spec.unschedulable != new.spec.unschedulable:
        found |= Happening.NODE_TAINTS
    return found
