"""When a node was last heard of, and whether so many are silent that the fault is likely ours. Pure.

A heartbeat is a renewed Lease or a written Ready condition; its time is when we saw it by our own clock, so the clocks
of nodes do not matter.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from proa.api.core_v1 import Node, NodeCondition
from proa.rules.nodes import READY, node_condition
from proa.rules.taints import NO_EXECUTE, NOT_READY, UNREACHABLE

# Conditions a silent node can say nothing of any more.
VOLATILE = (READY, "MemoryPressure", "DiskPressure", "PIDPressure")
SILENT = ("NodeStatusUnknown", "Kubelet stopped posting node status.")
NEVER_HEARD = ("NodeStatusNeverUpdated", "Kubelet never posted node status.")

# Clusters with more nodes than this slow evictions down when most nodes are unready; smaller ones stop them.
LARGE_CLUSTER = 50
UNHEALTHY_SHARE = 0.55
SLOW_EVICTIONS = 0.01


@dataclass
class _Seen:
    renewed: str = ""
    written: str = ""
    at: float = 0.0


class Heartbeats:
    """What was last seen of each node. Times are the caller's monotonic seconds."""

    def __init__(self) -> None:
        self._seen: dict[str, _Seen] = {}

    def lease(self, node: str, renewed: str, now: float) -> None:
        seen = self._seen.setdefault(node, _Seen(at=now))
        if seen.renewed != renewed:
            seen.renewed, seen.at = renewed, now

    def status(self, node: Node, now: float) -> None:
        condition = node_condition(node, READY)
        written = (condition.lastHeartbeatTime or "") if condition is not None and condition.status != "Unknown" else ""
        seen = self._seen.setdefault(node.metadata.name, _Seen(at=now))
        if written and seen.written != written:
            seen.written, seen.at = written, now

    def forget(self, node: str) -> None:
        self._seen.pop(node, None)

    def age(self, node: str, now: float) -> float:
        """Seconds since it was last heard of; since it is known, when it never was."""
        return now - self._seen.setdefault(node, _Seen(at=now)).at


def silenced(conditions: tuple[NodeCondition, ...], now: str) -> tuple[NodeCondition, ...]:
    """The conditions of a node that is silent: what it said last counts no more."""
    present = {each.type: each for each in conditions}
    result = [each for each in conditions if each.type not in VOLATILE]
    for type in VOLATILE:
        old = present.get(type)
        if old is not None and old.status == "Unknown":
            result.append(old)
            continue
        reason, message = SILENT if old is not None else NEVER_HEARD
        result.append(
            NodeCondition(
                type=type,
                status="Unknown",
                lastHeartbeatTime=old.lastHeartbeatTime if old is not None else None,
                lastTransitionTime=now,
                reason=reason,
                message=message,
            )
        )
    return tuple(result)


def eviction_rate(nodes: Iterable[Node], normal: float) -> float:
    """How many nodes a second may get the taint that evicts their pods; 0 for none.

    When no node is ready the fault is most likely between us and them, and evicting would help nobody. When most are
    not, a large cluster evicts slowly and a small one not at all.
    """
    ready = unready = 0
    for node in nodes:
        condition = node_condition(node, READY)
        if condition is not None and condition.status == "True":
            ready += 1
        else:
            unready += 1
    if not unready:
        return normal
    if not ready:
        return 0.0
    if unready > 2 and unready / (ready + unready) >= UNHEALTHY_SHARE:
        return SLOW_EVICTIONS if ready + unready > LARGE_CLUSTER else 0.0
    return normal


def evicts(node: Node) -> bool:
    """Whether it already has a taint that evicts for its condition."""
    return any(taint.effect == NO_EXECUTE and taint.key in (NOT_READY, UNREACHABLE) for taint in node.spec.taints)


class EvictionLimit:
    """So many nodes a second, one at once."""

    def __init__(self) -> None:
        self._next = 0.0

    def take(self, rate: float, now: float) -> float:
        """0: go ahead, it is counted; else the seconds to wait."""
        if now < self._next:
            return self._next - now
        self._next = now + 1.0 / rate
        return 0.0
