"""From nodes and pods to what is to be made and deleted: a pod for each node, a rolling update within bounds. Pure."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from proa.api.apps_v1 import DaemonSet, DaemonSetStatus, RollingUpdateDaemonSet
from proa.api.core_v1 import Node, Pod
from proa.control.revisions import REVISION_HASH
from proa.controllers.daemonset.placement import belongs
from proa.machinery.intorstring import scaled
from proa.rules.pods import is_pod_available, is_pod_ready, is_terminal

ByNode = Mapping[str, Sequence[Pod]]


@dataclass
class Plan:
    """create: nodes to make a pod for. delete: pods. failed: those of them that ended by themselves."""

    create: list[str] = field(default_factory=list)
    delete: list[Pod] = field(default_factory=list)
    failed: list[Pod] = field(default_factory=list)


def plan(daemon_set: DaemonSet, nodes: Sequence[Node], pods: ByNode, revision: str, now: datetime) -> Plan:
    """What to do now; `pods` by node, those being deleted included."""
    result = Plan()
    known = {node.metadata.name for node in nodes}
    for name, there in pods.items():
        if name not in known:  # the node is gone; its pods go with it (pod garbage collection)
            continue
        ended = [pod for pod in there if is_terminal(pod) and pod.metadata.deletionTimestamp is None]
        result.failed += ended
        result.delete += ended
    targets = []
    wanted = 0
    for node in nodes:
        make, keep = belongs(daemon_set, node)
        wanted += make
        there = pods.get(node.metadata.name, ())
        live = _live(there)
        if not keep:
            result.delete += live
        elif not live:
            if make and not there:  # also one that ended or is leaving is in the way of another
                result.create.append(node.metadata.name)
        else:
            targets.append((node.metadata.name, make, live))
    rolling = daemon_set.spec.updateStrategy
    if rolling.type == "OnDelete":
        for _, _, live in targets:
            result.delete += _surplus(live)
    else:
        available = partial(is_pod_available, min_ready_seconds=daemon_set.spec.minReadySeconds, now=now)
        _roll(result, rolling.rollingUpdate or RollingUpdateDaemonSet(), wanted, targets, revision, available)
    return result


def _roll(
    result: Plan,
    bounds: RollingUpdateDaemonSet,
    wanted: int,
    targets: Sequence[tuple[str, bool, list[Pod]]],
    revision: str,
    available: Callable[[Pod], bool],
) -> None:
    """Replace pods of other revisions. wanted: on how many nodes one belongs; targets: those that have one."""
    surge = scaled(bounds.maxSurge or 0, wanted, round_up=True)
    unavailable = scaled(bounds.maxUnavailable if bounds.maxUnavailable is not None else 1, wanted, round_up=True)
    if not surge and not unavailable:
        unavailable = 1
    missing = wanted - sum(make and any(map(available, live)) for _, make, live in targets)
    surging = sum(len(live) > 1 for _, _, live in targets)
    candidates = []
    for name, make, live in targets:
        new = [pod for pod in live if pod.metadata.labels.get(REVISION_HASH) == revision]
        old = [pod for pod in live if pod not in new]
        result.delete += _surplus(new)
        result.delete += _surplus(old)
        if not old:
            continue
        if new:  # a surging node: the old one goes when the new one serves, or if it never did
            if available(_oldest(new)) or not available(_oldest(old)):
                result.delete.append(_oldest(old))
        elif not available(_oldest(old)):
            result.delete.append(_oldest(old))  # it serves nobody, so replacing it costs nothing
        elif make:
            candidates.append((name, _oldest(old)))
    for name, pod in candidates:
        if surge:
            if surging < surge:
                surging += 1
                result.create.append(name)
        elif missing < unavailable:
            missing += 1
            result.delete.append(pod)


def status(daemon_set: DaemonSet, nodes: Sequence[Node], pods: ByNode, revision: str, now: datetime) -> dict[str, int]:
    """The numbers of the status (DaemonSetStatus's fields)."""
    counts = dict.fromkeys(
        (
            "currentNumberScheduled",
            "numberMisscheduled",
            "desiredNumberScheduled",
            "numberReady",
            "updatedNumberScheduled",
            "numberAvailable",
        ),
        0,
    )
    for node in nodes:
        make, _ = belongs(daemon_set, node)
        live = _live(pods.get(node.metadata.name, ()))
        if not make:
            counts["numberMisscheduled"] += bool(live)
            continue
        counts["desiredNumberScheduled"] += 1
        if not live:
            continue
        counts["currentNumberScheduled"] += 1
        first = _oldest(live)
        counts["updatedNumberScheduled"] += any(pod.metadata.labels.get(REVISION_HASH) == revision for pod in live)
        counts["numberReady"] += is_pod_ready(first)
        counts["numberAvailable"] += is_pod_available(first, daemon_set.spec.minReadySeconds, now)
    counts["numberUnavailable"] = counts["desiredNumberScheduled"] - counts["numberAvailable"]
    assert counts.keys() <= set(DaemonSetStatus.__struct_fields__)
    return counts


def _live(pods: Sequence[Pod]) -> list[Pod]:
    return [pod for pod in pods if pod.metadata.deletionTimestamp is None and not is_terminal(pod)]


def _surplus(pods: Sequence[Pod]) -> list[Pod]:
    return [pod for pod in pods if pod is not _oldest(pods)]


def _oldest(pods: Sequence[Pod]) -> Pod:
    """The one that counts: on its node, then ready, then first there."""
    return min(
        pods,
        key=lambda pod: (
            not pod.spec.nodeName,
            not is_pod_ready(pod),
            pod.metadata.creationTimestamp or "",
            pod.metadata.name,
        ),
    )
