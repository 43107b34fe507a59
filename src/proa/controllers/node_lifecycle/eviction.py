"""The taint eviction controller: deletes the pods that do not tolerate their node's NoExecute taints (any longer).

A pod that tolerates a taint for `tolerationSeconds` goes that long after the taint was added.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.core_v1 import Node, Pod, PodCondition
from proa.api.core_v1.resources import NODES, PODS
from proa.base.errors import ProaError
from proa.client.informer import key_of
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import set_condition
from proa.control.triggers import For, Maps, Trigger
from proa.controllers.node_lifecycle.controller import NODE_INDEX, index_by_node
from proa.machinery.status import is_not_found
from proa.machinery.timestamps import format_time, parse
from proa.rules.pods import is_terminal
from proa.rules.taints import NO_EXECUTE, toleration_seconds

DISRUPTION_TARGET = "DisruptionTarget"


class TaintEvictionController(Controller):
    name = "taint-eviction"
    workers = 8

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS)
        self._pods.add_index(NODE_INDEX, index_by_node)
        self._events = context.recorder("taint-eviction-controller")
        self._marked: set[str] = set()

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(PODS, when=self._concerns), Maps(NODES, self._pods_of_tainted))

    def _concerns(self, old: Any, new: Any) -> bool:
        if new is None:
            self._marked.discard(key_of(old))
            return False
        if old is not None and (old.spec.nodeName, old.spec.tolerations) == (new.spec.nodeName, new.spec.tolerations):
            return False
        node = self._nodes.get(new.spec.nodeName) if new.spec.nodeName else None
        return node is not None and bool(_evicting(node))

    def _pods_of_tainted(self, old: Any, new: Any) -> Iterable[str]:
        before = _evicting(old) if old is not None else ()
        after = _evicting(new) if new is not None else ()
        if before != after:
            name = (new if new is not None else old).metadata.name
            yield from map(key_of, self._pods.by_index(NODE_INDEX, name))

    async def reconcile(self, key: str) -> Outcome:
        pod = self._pods.get(key)
        if pod is None or pod.metadata.deletionTimestamp is not None or is_terminal(pod):
            return DONE
        node = self._nodes.get(pod.spec.nodeName)
        left = self._seconds_left(pod, node) if node is not None else None
        if left is None:
            if key in self._marked:
                self._marked.discard(key)
                self._events.normal(pod, "TaintManagerEviction", f"Cancelling deletion of Pod {key}")
            return DONE
        if left > 0:
            self._marked.add(key)
            return requeue_after(left, "tolerates the taints of its node no longer")
        return await self._evict(key, pod)

    def _seconds_left(self, pod: Pod, node: Node) -> float | None:
        """0 when it must go now, None when it may stay."""
        now = self.now()
        deadlines = []
        for taint in _evicting(node):
            stay = toleration_seconds((taint,), pod.spec.tolerations)
            if stay is not None:
                passed = (now - parse(taint.timeAdded)).total_seconds() if taint.timeAdded and stay else 0.0
                deadlines.append(max(0.0, stay - passed))
        return min(deadlines) if deadlines else None

    async def _evict(self, key: str, pod: Pod) -> Outcome:
        meta = pod.metadata
        condition = PodCondition(
            type=DISRUPTION_TARGET,
            status="True",
            reason="DeletionByTaintManager",
            message="Taint manager: deleting due to NoExecute taint",
            lastTransitionTime=format_time(self.now()),
        )
        self._events.normal(pod, "TaintManagerEviction", f"Marking for deletion Pod {key}")
        conditions = set_condition(pod.status.conditions, condition)
        patch = {
            "metadata": {"uid": meta.uid},
            "status": {"conditions": [msgspec.to_builtins(each) for each in conditions]},
        }
        try:
            await self.client.patch(PODS, meta.name, meta.namespace, patch, type="strategic", subresource="status")
            await self.client.delete(PODS, meta.name, meta.namespace, uid=meta.uid)
        except ProaError as error:
            if not is_not_found(error):
                raise
        self._marked.discard(key)
        return Outcome(note="evicted")


def _evicting(node: Node) -> tuple[Any, ...]:
    return tuple(taint for taint in node.spec.taints if taint.effect == NO_EXECUTE)
