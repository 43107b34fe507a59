"""How many replicas each ReplicaSet of a Deployment should have next. Pure: sizes in, sizes out.

A rollout is a sequence of such steps; each looks only at what is, so it can start from any state (a crash, a scale or
another rollout half way). Not here: writing the sizes, and which pods go.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from proa.api.apps_v1 import Deployment, ReplicaSet
from proa.rules.replica_sets import DESIRED_REPLICAS, MAX_REPLICAS, age_order
from proa.rules.rolling import rolling_bounds

RECREATE = "Recreate"

# name of a ReplicaSet -> its next spec.replicas
Sizes = dict[str, int]


@dataclass(frozen=True, slots=True)
class Bounds:
    """replicas: wanted; surge: how many pods more there may be; unavailable: how many may be missing."""

    replicas: int
    surge: int
    unavailable: int

    @property
    def most(self) -> int:
        """Pods there may be at once; none for a Deployment of none."""
        return self.replicas + self.surge if self.replicas else 0

    @property
    def least_available(self) -> int:
        return self.replicas - self.unavailable


def bounds_of(deployment: Deployment) -> Bounds:
    """What spec.replicas and spec.strategy allow."""
    spec = deployment.spec
    replicas = spec.replicas or 0
    if spec.strategy.type == RECREATE:
        return Bounds(replicas, 0, replicas)
    rolling = spec.strategy.rollingUpdate
    surge, unavailable = (
        rolling_bounds(rolling.maxSurge, rolling.maxUnavailable, replicas) if rolling is not None else (0, 1)
    )
    return Bounds(replicas, surge, unavailable)


def size(replica_set: ReplicaSet) -> int:
    """spec.replicas, which defaulting always fills."""
    return replica_set.spec.replicas or 0


def total(replica_sets: Sequence[ReplicaSet]) -> int:
    return sum(map(size, replica_sets))


def available(replica_sets: Sequence[ReplicaSet]) -> int:
    return sum(each.status.availableReplicas for each in replica_sets)


def new_size(bounds: Bounds, current: int, everything: int) -> int:
    """The size of the new ReplicaSet (now `current`) when all together have `everything`: as large as surge allows."""
    if current >= bounds.replicas:
        return bounds.replicas
    room = max(0, bounds.replicas + bounds.surge - everything)
    return min(bounds.replicas, current + room)


def shrink_old(bounds: Bounds, new: ReplicaSet, old: Sequence[ReplicaSet]) -> Sizes:
    """Make way: take pods from the old ReplicaSets without falling below what must be available.

    First those that are not available anyway, then available ones, oldest ReplicaSet first. Pods the new one has but
    that are not available count as if they were missing, or a broken rollout would eat the old ones.
    """
    old = sorted(old, key=age_order)
    everything = [*old, new]
    spare = total(everything) - bounds.least_available - (size(new) - new.status.availableReplicas)
    sizes = {each.metadata.name: size(each) for each in old}
    if spare <= 0:
        return {}
    for each in old:
        broken = min(spare, max(0, size(each) - each.status.availableReplicas), size(each))
        sizes[each.metadata.name] -= broken
        spare -= broken
    spare = max(0, available(everything) - bounds.least_available)
    for each in old:
        name = each.metadata.name
        healthy = min(spare, sizes[name])
        sizes[name] -= healthy
        spare -= healthy
    return changed(old, sizes)


def changed(replica_sets: Sequence[ReplicaSet], sizes: Sizes) -> Sizes:
    """The sizes that are not so yet."""
    return {
        each.metadata.name: sizes[each.metadata.name]
        for each in replica_sets
        if sizes.get(each.metadata.name, size(each)) != size(each)
    }


def annotated(replica_set: ReplicaSet, name: str) -> int | None:
    """A number the controller noted on a ReplicaSet; None when there is none."""
    try:
        return int(replica_set.metadata.annotations[name])
    except (KeyError, ValueError):
        return None


def was_scaled(deployment: Deployment, replica_sets: Sequence[ReplicaSet]) -> bool:
    """Whether spec.replicas changed since the sizes of the ReplicaSets were last decided."""
    return any(
        annotated(each, DESIRED_REPLICAS) not in (None, deployment.spec.replicas or 0)
        for each in replica_sets
        if size(each) > 0
    )


def rescale(deployment: Deployment, new: ReplicaSet | None, old: Sequence[ReplicaSet]) -> Sizes:
    """The sizes for a changed spec.replicas, without progress of the rollout.

    One ReplicaSet in use takes all of it. Several share the change in proportion to their size, so that half a rollout
    stays half a rollout, and a broken new version gets no more than its share.
    """
    bounds = bounds_of(deployment)
    everything = sorted([*old, *([new] if new is not None else [])], key=age_order)
    active = [each for each in everything if size(each) > 0]
    if len(active) <= 1:
        only = active[0] if active else new or (everything[-1] if everything else None)
        return changed([only], {only.metadata.name: bounds.replicas}) if only is not None else {}
    if new is not None and _is_complete(bounds, new):
        return changed(old, {each.metadata.name: 0 for each in old})
    if deployment.spec.strategy.type == RECREATE:
        return {}
    return changed(active, _proportional(bounds, active))


def _is_complete(bounds: Bounds, new: ReplicaSet) -> bool:
    wanted = annotated(new, DESIRED_REPLICAS)
    return bounds.replicas == wanted == size(new) == new.status.availableReplicas


def _proportional(bounds: Bounds, active: Sequence[ReplicaSet]) -> Sizes:
    to_add = bounds.most - total(active)
    # Larger ones first; of equal ones growth favours the newer, shrinking the older.
    by_age = list(reversed(active)) if to_add > 0 else list(active)
    ordered = sorted(by_age, key=lambda each: -size(each))
    sizes: Sizes = {}
    added = 0
    for each in ordered:
        share = _share(bounds, each) if to_add else 0
        left = to_add - added
        share = min(share, left) if to_add > 0 else max(share, left)
        sizes[each.metadata.name] = size(each) + share
        added += share
    left = to_add - added  # by rounding: the first takes it, as far as it has so much
    for name, current in sizes.items():
        sizes[name] = max(0, current + left)
        left -= sizes[name] - current
    return sizes


def _share(bounds: Bounds, replica_set: ReplicaSet) -> int:
    """How much a ReplicaSet would change if the whole Deployment went from its noted to its new maximum."""
    before = annotated(replica_set, MAX_REPLICAS) or bounds.replicas or 1
    if not bounds.replicas:
        return -size(replica_set)
    # Rounded to the nearest, halves away from zero.
    scaled_size = (2 * size(replica_set) * bounds.most + before) // (2 * before)
    return scaled_size - size(replica_set)
