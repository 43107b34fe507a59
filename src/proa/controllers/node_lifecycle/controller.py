"""The node lifecycle controller: conditions of silent nodes, taints for every node's conditions, pods marked unready.

Heartbeats wake nothing: they only move the time at which a node would be silent, and its key looks again then.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.coordination_v1.resources import LEASES
from proa.api.core_v1 import Node, Pod
from proa.api.core_v1.resources import NODES, PODS
from proa.base.errors import ProaError
from proa.control.controller import Context, Controller
from proa.control.outcome import Outcome, requeue_after
from proa.control.status import set_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Trigger
from proa.controllers.node_lifecycle.health import EvictionLimit, Heartbeats, eviction_rate, evicts, silenced
from proa.controllers.settings import Settings
from proa.machinery.status import is_not_found
from proa.machinery.timestamps import format_time
from proa.rules.nodes import READY, is_node_ready, node_condition, readiness, wanted_taints, with_taints
from proa.rules.pods import condition_of, is_pod_ready, is_terminal

LEASE_NAMESPACE = "kube-node-lease"
NODE_INDEX = "node"


def index_by_node(pod: Pod) -> Iterable[str]:
    """Pods by the node they are bound to."""
    return (pod.spec.nodeName,) if pod.spec.nodeName else ()


class NodeLifecycleController(Controller):
    name = "node-lifecycle"
    workers = 8

    def __init__(self, context: Context, settings: Settings) -> None:
        super().__init__(context)
        self._settings = settings
        self._nodes = context.informer(NODES)
        self._pods = context.informer(PODS)
        self._pods.add_index(NODE_INDEX, index_by_node)
        self._heartbeats = Heartbeats()
        self._limit = EvictionLimit()
        self._events = context.recorder("node-controller")

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(NODES, when=self._node_changed),
            Maps(LEASES, self._lease_changed),
            Maps(PODS, self._pod_bound),
        )

    def _node_changed(self, old: Any, new: Any) -> bool:
        now = self.clock.monotonic()
        if new is None:
            self._heartbeats.forget(old.metadata.name)
            self._events.normal(old, "RemovingNode", f"Node {old.metadata.name} event: Removing Node from Controller")
            return False
        self._heartbeats.status(new, now)
        if old is None:
            name = new.metadata.name
            self._events.normal(new, "RegisteredNode", f"Node {name} event: Registered Node {name} in Controller")
            return True
        return _facts(old) != _facts(new)

    def _lease_changed(self, old: Any, new: Any) -> Iterable[str]:
        if new is None or new.metadata.namespace != LEASE_NAMESPACE:
            return ()
        name = new.metadata.name
        self._heartbeats.lease(name, new.spec.renewTime or "", self.clock.monotonic())
        return ()

    def _pod_bound(self, old: Any, new: Any) -> Iterable[str]:
        """A pod that says it is ready on a node that is not."""
        if new is None or not new.spec.nodeName or not is_pod_ready(new) or (old is not None and is_pod_ready(old)):
            return
        node = self._nodes.get(new.spec.nodeName)
        if node is not None and not is_node_ready(node):
            yield node.metadata.name

    async def reconcile(self, key: str) -> Outcome:
        node = self._nodes.get(key)
        if node is None:
            return Outcome()
        node, silent_in = await self._watch_over(node)
        wait = await self._taint(node)
        if node_condition(node, READY) is not None and not is_node_ready(node):
            await self._mark_pods(node)
        return requeue_after(min(each for each in (silent_in, wait) if each is not None))

    async def _watch_over(self, node: Node) -> tuple[Node, float]:
        """The node with its conditions as they must be now; seconds until it would be silent."""
        name, settings = node.metadata.name, self._settings
        known = node_condition(node, READY) is not None
        grace = settings.node_grace if known else settings.node_startup_grace
        left = grace - self._heartbeats.age(name, self.clock.monotonic())
        if left > 0:
            return node, left
        status = node.status
        conditions = silenced(status.conditions, format_time(self.now()))
        if conditions == status.conditions:
            return node, grace
        was_ready = is_node_ready(node)
        node = await update_status_if_changed(
            self.client, NODES, node, msgspec.structs.replace(status, conditions=conditions)
        )
        if was_ready:
            self._events.normal(node, "NodeNotReady", f"Node {name} status is now: NodeNotReady")
        return node, grace

    async def _taint(self, node: Node) -> float | None:
        """Set the taints its conditions call for; seconds until the evicting one may be, if it may not now."""
        wait: float | None = None
        evict = evicts(node)
        if node_condition(node, READY) is None:
            evict = False  # it is only being set up
        elif not evict and not is_node_ready(node):
            now = self.clock.monotonic()
            rate = eviction_rate(self._nodes.list(), self._settings.node_evictions)
            wait = self._limit.take(rate, now) if rate else 1.0 / self._settings.node_evictions
            evict = not wait
        elif evict and eviction_rate(self._nodes.list(), 1.0) == 0.0:
            evict = False  # nobody is ready: stop what was begun
            wait = 1.0 / self._settings.node_evictions
        taints = with_taints(node.spec.taints, wanted_taints(node, evict=evict), format_time(self.now()))
        if taints != node.spec.taints:
            plain = [msgspec.to_builtins(taint) for taint in taints]
            meta = {"uid": node.metadata.uid, "resourceVersion": node.metadata.resourceVersion}
            patch = {"metadata": meta, "spec": {"taints": plain or None}}
            await self.client.patch(NODES, node.metadata.name, "", patch, type="merge")
        return wait or None

    async def _mark_pods(self, node: Node) -> None:
        """Take the pods of an unready node out of service: whether they still run cannot be known."""
        for pod in self._pods.by_index(NODE_INDEX, node.metadata.name):
            ready = condition_of(pod, READY)
            if ready is None or ready.status != "True" or is_terminal(pod):
                continue
            condition = msgspec.structs.replace(ready, status="False", lastTransitionTime=format_time(self.now()))
            status = msgspec.structs.replace(pod.status, conditions=set_condition(pod.status.conditions, condition))
            try:
                await update_status_if_changed(self.client, PODS, pod, status)
            except ProaError as error:
                if not is_not_found(error):
                    raise
                continue
            self._events.warning(pod, "NodeNotReady", "Node is not ready")


def _facts(node: Node) -> tuple[object, ...]:
    """What of a node this controller acts on; a heartbeat is none of it."""
    statuses = tuple((each.type, each.status) for each in node.status.conditions)
    return statuses, node.spec.taints, node.spec.unschedulable, readiness(node)
