"""Pod garbage collection: pods nobody else will ever finish deleting or forget.

Those bound to a node that is gone, those being deleted that never got a node, those stuck on a node declared out of
service, and the oldest ended ones beyond a threshold.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import Pod, PodCondition
from proa.api.core_v1.resources import NODES, PODS
from proa.base.errors import ProaError
from proa.client.informer import key_of
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import set_condition
from proa.control.triggers import Maps, Trigger
from proa.controllers.settings import Settings
from proa.machinery.status import is_not_found
from proa.machinery.timestamps import format_time
from proa.rules.pods import is_terminal
from proa.rules.taints import OUT_OF_SERVICE

NODE_INDEX = "node"
# Seconds a node must be missing before its pods are: a copy may be behind, a node may be recreated at once.
QUARANTINE = 40.0
# Keys: what to look at. Pod keys contain a slash and no colon.
ENDED = "ended:"
NODE = "node:"


class PodGCController(Controller):
    name = "pod-garbage-collector"
    workers = 2

    def __init__(self, context: Context, settings: Settings) -> None:
        super().__init__(context)
        self._threshold = settings.terminated_pods
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS)
        self._pods.add_index(NODE_INDEX, lambda pod: (pod.spec.nodeName,) if pod.spec.nodeName else ())
        self._ended = 0
        self._missing: dict[str, float] = {}

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (Maps(PODS, self._pod_changed), Maps(NODES, self._node_changed))

    def _pod_changed(self, old: Any, new: Any) -> Iterable[str]:
        self._ended += (new is not None and is_terminal(new)) - (old is not None and is_terminal(old))
        if self._threshold > 0 and self._ended > self._threshold:
            yield ENDED
        if new is None:
            return
        node = new.spec.nodeName
        if node and (old is None or not old.spec.nodeName) and node not in self._nodes:
            yield NODE + node
        if new.metadata.deletionTimestamp is not None and (not node or self._is_out_of_service(node)):
            yield key_of(new)

    def _node_changed(self, old: Any, new: Any) -> Iterable[str]:
        if new is None:
            yield NODE + old.metadata.name
        elif self._is_out_of_service(new.metadata.name):
            yield from map(key_of, self._pods.by_index(NODE_INDEX, new.metadata.name))

    def _is_out_of_service(self, name: str) -> bool:
        node = self._nodes.get(name)
        return node is not None and any(taint.key == OUT_OF_SERVICE for taint in node.spec.taints)

    async def reconcile(self, key: str) -> Outcome:
        if key == ENDED:
            return await self._forget_ended()
        if key.startswith(NODE):
            return await self._collect_orphans(key.removeprefix(NODE))
        pod = self._pods.get(key)
        if pod is None or pod.metadata.deletionTimestamp is None:
            return DONE
        node = pod.spec.nodeName
        if not node:
            await self._delete(pod)
            return Outcome(note="deleted: it was being deleted and never had a node")
        if self._is_out_of_service(node):
            await self._fail_and_delete(pod, "PodGC: node out of service")
            return Outcome(note="deleted: its node is out of service")
        return DONE

    async def _forget_ended(self) -> Outcome:
        ended = [pod for pod in self._pods.list() if is_terminal(pod) and pod.metadata.deletionTimestamp is None]
        surplus = len(ended) - self._threshold
        if surplus > 0:
            ended.sort(key=lambda pod: (pod.metadata.creationTimestamp or "", pod.metadata.name))
            for pod in ended[:surplus]:
                await self._delete(pod)
        return Outcome(note=f"forgot {max(0, surplus)} ended pods")

    async def _collect_orphans(self, node: str) -> Outcome:
        pods = self._pods.by_index(NODE_INDEX, node)
        if node in self._nodes or not pods:
            self._missing.pop(node, None)
            return DONE
        now = self.clock.monotonic()
        left = self._missing.setdefault(node, now) + QUARANTINE - now
        if left > 0:
            return requeue_after(left, "its node is missing")
        try:
            await self.client.get(NODES, node)
            return DONE
        except ProaError as error:
            if not is_not_found(error):
                raise
        for pod in pods:
            await self._fail_and_delete(pod, "PodGC: node no longer exists")
        self._missing.pop(node, None)
        return Outcome(note=f"deleted {len(pods)} pods of a node that is gone")

    async def _fail_and_delete(self, pod: Pod, why: str) -> None:
        if not is_terminal(pod):
            condition = PodCondition(
                type="DisruptionTarget",
                status="True",
                reason="DeletionByPodGC",
                message=why,
                lastTransitionTime=format_time(self.now()),
            )
            conditions = set_condition(pod.status.conditions, condition)
            status = msgspec.structs.replace(pod.status, phase="Failed", conditions=conditions)
            try:
                await self.client.update(PODS, msgspec.structs.replace(pod, status=status), subresource="status")
            except ProaError as error:
                if is_not_found(error):
                    return
                raise
        await self._delete(pod)

    async def _delete(self, pod: Pod) -> None:
        await delete_exactly(self.client, PODS, pod, unless_changed=True, grace_period_seconds=0)
