"""The DaemonSet controller: makes and deletes the pods the plan says, keeps the revisions, reports."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from typing import Any

import msgspec

from proa.aio.backoff import Backoff
from proa.api.apps_v1 import DaemonSet
from proa.api.apps_v1.resources import CONTROLLER_REVISIONS, DAEMON_SETS
from proa.api.core_v1 import Node, Pod
from proa.api.core_v1.resources import NODES, PODS
from proa.base.errors import ProaError
from proa.client.informer import key_of
from proa.control.batches import slow_start
from proa.control.controller import Context, Controller
from proa.control.freshness import OwnWrites
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.ownership import Claims, OrphanTrigger
from proa.control.pods import PodControl, says_namespace_terminates
from proa.control.revisions import Revisions, hashes
from proa.control.status import update_status_if_changed
from proa.control.triggers import For, Maps, Owns, Trigger
from proa.controllers.daemonset.placement import node_of, pod_for
from proa.controllers.daemonset.plan import plan, status
from proa.rules.pods import available_in

BURST = 250
# A pod that ended by itself is replaced at once, then ever later on the same node.
_ENDED = Backoff(base=1.0, factor=2.0, cap=900.0)


class DaemonSetController(Controller):
    name = "daemonset"
    workers = 2

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._daemon_sets = context.informer(DAEMON_SETS)
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS)
        self._claims = Claims(self.client, DAEMON_SETS, PODS, self._pods)
        self._revisions = Revisions(self.client, DAEMON_SETS, context.informer(CONTROLLER_REVISIONS))
        self._history_writes = OwnWrites(context.informer(CONTROLLER_REVISIONS), context.clock)
        self._writes = OwnWrites(self._pods, context.clock)
        self._events = context.recorder("daemonset-controller")
        self._control = PodControl(self.client, self._writes, self._events)
        self._ended: dict[tuple[str, str], tuple[int, float]] = {}

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(DAEMON_SETS),
            Owns(PODS),
            Owns(CONTROLLER_REVISIONS),
            Maps(PODS, OrphanTrigger(self._daemon_sets)),
            Maps(NODES, self._node_changed),
        )

    def _node_changed(self, old: Node | None, new: Node | None) -> Iterable[str]:
        """A heartbeat concerns nobody; a node that comes, goes, or has other labels or taints concerns all."""
        if old is not None and new is not None:
            same = (old.metadata.labels, old.spec.taints) == (new.metadata.labels, new.spec.taints)
            if same:
                return ()
        return map(key_of, self._daemon_sets.list())

    async def reconcile(self, key: str) -> Outcome:
        daemon_set = self._daemon_sets.get(key)
        if daemon_set is None:
            self._forget(key)
            return DONE
        pods = await self._claims.of(daemon_set, daemon_set.spec.selector)
        if daemon_set.metadata.deletionTimestamp is not None:
            return DONE
        if not self._writes.seen(key) or not self._history_writes.seen(key):
            return Outcome(note="waiting to see its own writes")
        history = await self._revisions.of(daemon_set)
        self._history_writes.wrote(key, history.current)
        by_node: dict[str, list[Pod]] = defaultdict(list)
        for pod in pods:
            by_node[node_of(pod)].append(pod)
        nodes = sorted(self._nodes.list(), key=key_of)
        step = plan(daemon_set, nodes, by_node, history.hash, self.now())
        again = await self._carry_out(key, daemon_set, step.create, step.delete, step.failed, history.hash)
        await self._revisions.prune(daemon_set, history, hashes(pods))
        counts = status(daemon_set, nodes, by_node, history.hash, self.now())
        changed: dict[str, Any] = {**counts, "observedGeneration": daemon_set.metadata.generation}
        told = msgspec.structs.replace(daemon_set.status, **changed)
        await update_status_if_changed(self.client, DAEMON_SETS, daemon_set, told)
        return self._next_look(daemon_set, pods, again)

    def _next_look(self, daemon_set: DaemonSet, pods: Sequence[Pod], again: float | None) -> Outcome:
        wait = daemon_set.spec.minReadySeconds
        times = [left for pod in pods if wait and (left := available_in(pod, wait, self.now()))]
        if again is not None:
            times.append(again)
        return requeue_after(min(times)) if times else DONE

    async def _carry_out(
        self,
        key: str,
        daemon_set: DaemonSet,
        create: Sequence[str],
        delete: Sequence[Pod],
        failed: Sequence[Pod],
        revision: str,
    ) -> float | None:
        """Delete, then create; seconds until something that has to wait may be done."""
        waits = []
        held = set()
        for pod in failed:
            wait = self._wait(key, node_of(pod))
            if wait > 0:
                waits.append(wait)
                held.add(pod.metadata.uid)
            else:
                self._events.warning(
                    daemon_set,
                    "FailedDaemonPod",
                    f"Found failed daemon pod {key_of(pod)} on node {node_of(pod)}, will try to kill it",
                )
        gone = {pod.metadata.uid: pod for pod in delete if pod.metadata.uid not in held}
        async with asyncio.TaskGroup() as group:
            for pod in list(gone.values())[:BURST]:
                group.create_task(self._control.delete(key, daemon_set, pod))
        places = iter(create[:BURST])
        if create:
            try:
                await slow_start(min(len(create), BURST), partial(self._create, key, daemon_set, places, revision))
            except ProaError as error:
                if not says_namespace_terminates(error):
                    raise
        return min(waits, default=None)

    def _wait(self, key: str, node: str) -> float:
        """Seconds until a pod that ended on this node may be replaced; counts each replacement."""
        now = self.clock.monotonic()
        count, until = self._ended.get((key, node), (0, 0.0))
        if now < until:
            return until - now
        self._ended[key, node] = count + 1, now + _ENDED.delay(count)
        return 0.0

    def _forget(self, key: str) -> None:
        self._writes.forget(key)
        self._history_writes.forget(key)
        self._ended = {known: value for known, value in self._ended.items() if known[0] != key}

    async def _create(self, key: str, daemon_set: DaemonSet, places: Iterator[str], revision: str) -> None:
        await self._control.create(key, daemon_set, pod_for(daemon_set, next(places), revision))
