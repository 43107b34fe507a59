"""What a Deployment notes on itself and its ReplicaSets: revisions, and the sizes it last decided. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from proa.api.apps_v1 import Deployment, ReplicaSet, ReplicaSetSpec
from proa.controllers.deployment.sizes import Bounds, bounds_of
from proa.machinery.meta import LabelSelector, ObjectMeta
from proa.rules.owners import controller_reference, replace_metadata
from proa.rules.replica_sets import (
    DESIRED_REPLICAS,
    MAX_REPLICAS,
    NOT_COPIED,
    POD_TEMPLATE_HASH,
    REVISION,
    REVISION_HISTORY,
    revision,
    template_hash,
    without_hash,
)

# Characters of the revision history annotation; the oldest revisions fall out.
HISTORY_LIMIT = 2000


def next_revision(old: Sequence[ReplicaSet]) -> int:
    """The revision the current template must have: one more than any other's."""
    return max((revision(each.metadata.annotations) for each in old), default=0) + 1


def size_notes(bounds: Bounds) -> dict[str, str]:
    """The annotations by which a later scale is noticed, and shared in proportion."""
    return {DESIRED_REPLICAS: str(bounds.replicas), MAX_REPLICAS: str(bounds.replicas + bounds.surge)}


def current_annotations(deployment: Deployment, new: ReplicaSet | None, number: int) -> dict[str, str]:
    """The annotations of the current ReplicaSet: the Deployment's, and revision `number` unless it is past that.

    A ReplicaSet that becomes current again (a rollback) keeps the revisions it was in its history.
    """
    annotations = dict(new.metadata.annotations) if new is not None else {}
    past = revision(annotations)
    for key, value in deployment.metadata.annotations.items():
        if key not in NOT_COPIED:
            annotations[key] = value
    if past < number:
        if past:
            annotations[REVISION_HISTORY] = _history(annotations.get(REVISION_HISTORY, ""), past)
        annotations[REVISION] = str(number)
    if new is None:
        annotations |= size_notes(bounds_of(deployment))
    return annotations


def _history(history: str, past: int) -> str:
    numbers = [number for number in history.split(",") if number] + [str(past)]
    while len(",".join(numbers)) > HISTORY_LIMIT:
        numbers.pop(0)
    return ",".join(numbers)


def new_replica_set(deployment: Deployment, annotations: Mapping[str, str], replicas: int) -> ReplicaSet:
    """The ReplicaSet of the Deployment's present template; its hash keeps its pods apart from the others'."""
    spec = deployment.spec
    template = without_hash(spec.template)
    mark = {POD_TEMPLATE_HASH: template_hash(template, deployment.status.collisionCount)}
    labels = {**template.metadata.labels, **mark}
    selector = spec.selector or LabelSelector()
    return ReplicaSet(
        metadata=ObjectMeta(
            name=f"{deployment.metadata.name}-{mark[POD_TEMPLATE_HASH]}",
            namespace=deployment.metadata.namespace,
            labels=labels,
            annotations=annotations,
            ownerReferences=(controller_reference(deployment),),
        ),
        spec=ReplicaSetSpec(
            replicas=replicas,
            minReadySeconds=spec.minReadySeconds,
            selector=LabelSelector(
                matchLabels={**selector.matchLabels, **mark}, matchExpressions=selector.matchExpressions
            ),
            template=replace_metadata(template, labels=labels),
        ),
    )
