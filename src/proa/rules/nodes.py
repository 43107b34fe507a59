"""What a node's conditions mean for the pods on it: which taints they call for (core/v1 NodeCondition, Taint)."""

from __future__ import annotations

from collections.abc import Iterable

from proa.api.core_v1 import Node, NodeCondition, Taint
from proa.rules import taints
from proa.rules.taints import NO_EXECUTE, NO_SCHEDULE

READY = "Ready"

# condition type -> (status that calls for the taint, taint)
_CONDITION_TAINTS = {
    "MemoryPressure": ("True", taints.MEMORY_PRESSURE),
    "DiskPressure": ("True", taints.DISK_PRESSURE),
    "PIDPressure": ("True", taints.PID_PRESSURE),
    "NetworkUnavailable": ("True", taints.NETWORK_UNAVAILABLE),
}
_NO_SCHEDULE_KEYS = frozenset(
    {taints.NOT_READY, taints.UNREACHABLE, taints.UNSCHEDULABLE, *(key for _, key in _CONDITION_TAINTS.values())}
)
_NO_EXECUTE_KEYS = frozenset({taints.NOT_READY, taints.UNREACHABLE})


def node_condition(node: Node, type: str) -> NodeCondition | None:
    return next((each for each in node.status.conditions if each.type == type), None)


def readiness(node: Node) -> str:
    """The status of its Ready condition: True, False or Unknown; Unknown when it never said."""
    condition = node_condition(node, READY)
    return condition.status if condition is not None else "Unknown"


def is_node_ready(node: Node) -> bool:
    return readiness(node) == "True"


def _unready_key(node: Node) -> str | None:
    condition = node_condition(node, READY)
    if condition is None or condition.status == "False":
        return taints.NOT_READY
    return taints.UNREACHABLE if condition.status == "Unknown" else None


def wanted_taints(node: Node, *, evict: bool) -> list[tuple[str, str]]:
    """(key, effect) of every taint the node's conditions call for; those that evict only when `evict`."""
    wanted = []
    unready = _unready_key(node)
    if unready is not None:
        wanted.append((unready, NO_SCHEDULE))
        if evict:
            wanted.append((unready, NO_EXECUTE))
    for type, (status, key) in _CONDITION_TAINTS.items():
        condition = node_condition(node, type)
        if condition is not None and condition.status == status:
            wanted.append((key, NO_SCHEDULE))
    if node.spec.unschedulable:
        wanted.append((taints.UNSCHEDULABLE, NO_SCHEDULE))
    return wanted


def with_taints(old: tuple[Taint, ...], wanted: Iterable[tuple[str, str]], now: str) -> tuple[Taint, ...]:
    """`old` with exactly the wanted ones among the taints that conditions set; everybody else's stay.

    A taint that stays keeps its timeAdded; an unreachable node that becomes not ready starts anew.
    """
    wanted = list(wanted)
    kept = [taint for taint in old if not is_condition_taint(taint) or (taint.key, taint.effect) in wanted]
    have = {(taint.key, taint.effect) for taint in kept}
    added = [Taint(key=key, effect=effect, timeAdded=now) for key, effect in wanted if (key, effect) not in have]
    return (*kept, *added) if added or len(kept) != len(old) else old


def is_condition_taint(taint: Taint) -> bool:
    """Whether it is one that node conditions set and clear."""
    keys = _NO_SCHEDULE_KEYS if taint.effect == NO_SCHEDULE else _NO_EXECUTE_KEYS
    return taint.effect in (NO_SCHEDULE, NO_EXECUTE) and taint.key in keys
