"""Which pods of a ReplicaSet go first when it has too many. Pure."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from proa.api.core_v1 import Pod
from proa.machinery.timestamps import parse
from proa.rules.pods import PENDING, RUNNING, UNKNOWN, container_restarts, is_pod_ready, ready_since

DELETION_COST = "controller.kubernetes.io/pod-deletion-cost"

_PHASE_ORDER = {PENDING: 0, UNKNOWN: 1, RUNNING: 2}


def deletion_cost(pod: Pod) -> int:
    """What the pod's annotation says losing it costs; 0 when it says nothing valid."""
    try:
        return int(pod.metadata.annotations.get(DELETION_COST, "0"))
    except ValueError:
        return 0


def first_to_go(pods: Sequence[Pod], count: int, neighbours: Iterable[Pod], now: datetime) -> list[Pod]:
    """The `count` pods whose loss hurts least.

    In order of weight: not on a node; earlier phase; not ready; lower deletion cost; more `neighbours` (active pods of
    related ReplicaSets) on its node; ready for a shorter time; more restarts; younger. Ages count by order of
    magnitude, so that among pods of about the same age chance (their uid) decides and not the start order.
    """
    if count >= len(pods):
        return list(pods)
    crowd = Counter(pod.spec.nodeName for pod in neighbours if pod.spec.nodeName)

    def weight(pod: Pod) -> tuple[Any, ...]:
        ready = is_pod_ready(pod)
        return (
            bool(pod.spec.nodeName),
            _PHASE_ORDER.get(pod.status.phase, 1),
            ready,
            deletion_cost(pod),
            -crowd[pod.spec.nodeName] if pod.spec.nodeName else 0,
            _magnitude(ready_since(pod), now) if ready else 0,
            -container_restarts(pod),
            _magnitude(parse(pod.metadata.creationTimestamp) if pod.metadata.creationTimestamp else None, now),
            pod.metadata.uid,
        )

    return sorted(pods, key=weight)[:count]


def _magnitude(since: datetime | None, now: datetime) -> int:
    """The binary order of magnitude of an age in seconds; -1 when it has none."""
    if since is None:
        return -1
    age = (now - since).total_seconds()
    return int(math.log2(age)) + 1 if age >= 1 else 0
