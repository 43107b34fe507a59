"""What the node itself refuses: a pod that does not fit or does not belong here ends at once as Failed. Pure.

The scheduler has checked the same, but pods reach a node without it (spec.nodeName) and nodes change.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proa.api.core_v1 import Pod
from proa.kubelet.state import Rejection
from proa.rules.resources import PODS, Amounts, amounts, pod_requests

_NAMES = {"cpu": "OutOfcpu", "memory": "OutOfmemory", "ephemeral-storage": "OutOfephemeral-storage"}


def admit(
    pod: Pod, labels: Mapping[str, str], allocatable: Mapping[str, str], taken: Iterable[Amounts]
) -> Rejection | None:
    """Why `pod` cannot run on a node with these labels where `taken` is what its other pods request."""
    if pod.spec.os is not None and pod.spec.os.name != "linux":
        return Rejection("PodOSNotSupported", "Failed to admit pod as the OS field doesn't match node OS")
    others = list(taken)
    room = amounts(allocatable)
    if len(others) + 1 > room.get(PODS, 1 << 31):
        return _out_of(PODS, 1, len(others), room[PODS])
    for resource, wanted in pod_requests(pod).items():
        if not wanted or resource not in room:
            continue
        used = sum(each.get(resource, 0) for each in others)
        if used + wanted > room[resource]:
            return _out_of(resource, wanted, used, room[resource])
    for key, value in pod.spec.nodeSelector.items():
        if labels.get(key) != value:
            return Rejection("NodeAffinity", "Pod was rejected: Predicate NodeAffinity failed: node(s) didn't match "
                             "Pod's node affinity/selector")  # fmt: skip
    return None


def _out_of(resource: str, wanted: int, used: int, room: int) -> Rejection:
    text = (
        f"Pod was rejected: Node didn't have enough resource: {resource}, requested: {wanted}, used: {used}, "
        f"capacity: {room}"
    )
    return Rejection(_NAMES.get(resource, f"OutOf{resource}"), text)
