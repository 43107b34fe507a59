"""Taints repel pods from nodes, tolerations let them in (core/v1 Taint, Toleration)."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proa.api.core_v1 import Taint, Toleration

NO_SCHEDULE, PREFER_NO_SCHEDULE, NO_EXECUTE = "NoSchedule", "PreferNoSchedule", "NoExecute"

NOT_READY = "node.kubernetes.io/not-ready"
UNREACHABLE = "node.kubernetes.io/unreachable"
UNSCHEDULABLE = "node.kubernetes.io/unschedulable"
MEMORY_PRESSURE = "node.kubernetes.io/memory-pressure"
DISK_PRESSURE = "node.kubernetes.io/disk-pressure"
PID_PRESSURE = "node.kubernetes.io/pid-pressure"
NETWORK_UNAVAILABLE = "node.kubernetes.io/network-unavailable"
OUT_OF_SERVICE = "node.kubernetes.io/out-of-service"


def tolerates(toleration: Toleration, taint: Taint) -> bool:
    """Whether this toleration matches the taint. An empty key with Exists matches every taint, an empty effect any."""
    if toleration.effect and toleration.effect != taint.effect:
        return False
    if toleration.key and toleration.key != taint.key:
        return False
    match toleration.operator:
        case "" | "Equal":
            return bool(toleration.key) and toleration.value == taint.value
        case "Exists":
            return True
        case "Lt" | "Gt":
            return _compares(toleration, taint)
        case _:
            return False


def _compares(toleration: Toleration, taint: Taint) -> bool:
    """Numeric tolerations (KEP-5471): the taint's value is less (Lt) or greater (Gt) than the toleration's."""
    try:
        limit, value = int(toleration.value), int(taint.value)
    except ValueError:
        return False
    return value < limit if toleration.operator == "Lt" else value > limit


def find_toleration(tolerations: Iterable[Toleration], taint: Taint) -> Toleration | None:
    """The first toleration that matches the taint."""
    return next((each for each in tolerations if tolerates(each, taint)), None)


def find_untolerated(
    taints: Iterable[Taint], tolerations: Iterable[Toleration], effects: tuple[str, ...] = (NO_SCHEDULE, NO_EXECUTE)
) -> Taint | None:
    """The first taint with one of `effects` that no toleration matches."""
    tolerations = tuple(tolerations)
    return next((t for t in taints if t.effect in effects and find_toleration(tolerations, t) is None), None)


def toleration_seconds(taints: Iterable[Taint], tolerations: Iterable[Toleration]) -> float | None:
    """How long a pod stays on a node with these NoExecute taints: 0 not at all, None for ever.

    Every taint must be tolerated; the shortest `tolerationSeconds` of the tolerations used counts.
    """
    tolerations = tuple(tolerations)
    limits: list[float] = []
    for taint in taints:
        if taint.effect != NO_EXECUTE:
            continue
        used = [each for each in tolerations if tolerates(each, taint)]
        if not used:
            return 0.0
        limits += [max(0.0, float(each.tolerationSeconds)) for each in used if each.tolerationSeconds is not None]
    return min(limits) if limits else None


def merged_tolerations(tolerations: Sequence[Toleration]) -> tuple[Toleration, ...]:
    """Those that say something which no other one says already; of equal ones the first."""
    kept: list[Toleration] = []
    for position, each in enumerate(tolerations):
        later = (other for other in tolerations[position + 1 :] if other != each)
        if not any(_covers(other, each) for other in (*kept, *later)):
            kept.append(each)
    return tuple(kept)


def _covers(wide: Toleration, narrow: Toleration) -> bool:
    """Whether `wide` tolerates whatever `narrow` does, for as long."""
    if wide == narrow:
        return True
    if wide.key != narrow.key and (wide.key or wide.operator != "Exists"):
        return False
    if wide.effect and wide.effect != narrow.effect:
        return False
    limited = wide.effect == NO_EXECUTE and wide.tolerationSeconds is not None
    if limited and (narrow.tolerationSeconds is None or narrow.tolerationSeconds > (wide.tolerationSeconds or 0)):
        return False
    if wide.operator == "Exists":
        return True
    return wide.operator in ("", "Equal") and narrow.operator == "Equal" and narrow.value == wide.value
