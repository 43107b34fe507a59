"""How a Deployment uses its ReplicaSets: revisions, the current one, and what ties the two (apps/v1).

Shared by the deployment controller, which writes these marks, and kubectl, which shows history and undoes. Not here:
what to do next in a rollout (`proa.controllers.deployment`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping

import msgspec

from proa.api.apps_v1 import Deployment, ReplicaSet
from proa.api.core_v1 import PodTemplateSpec
from proa.rules.owners import replace_metadata

POD_TEMPLATE_HASH = "pod-template-hash"
REVISION = "deployment.kubernetes.io/revision"
REVISION_HISTORY = "deployment.kubernetes.io/revision-history"
DESIRED_REPLICAS = "deployment.kubernetes.io/desired-replicas"
MAX_REPLICAS = "deployment.kubernetes.io/max-replicas"
LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"

# Annotations of a Deployment that say something about itself, so its ReplicaSets do not get them.
NOT_COPIED = frozenset({LAST_APPLIED, REVISION, REVISION_HISTORY, DESIRED_REPLICAS, MAX_REPLICAS})

# No vowels and no look-alikes: a hash never spells a word.
_SAFE_DIGITS = str.maketrans("0123456789abcdef", "bcdfghjklmnpqrst")


def template_hash(template: PodTemplateSpec, collisions: int | None = None) -> str:
    """A short name for a template, stable for equal ones; another one for each number of `collisions`."""
    digest = hashlib.blake2s(msgspec.json.encode(template, order="deterministic"), digest_size=5)
    if collisions is not None:
        digest.update(str(collisions).encode())
    return digest.hexdigest().translate(_SAFE_DIGITS)


def without_hash(template: PodTemplateSpec) -> PodTemplateSpec:
    """The template a Deployment wrote, from one of its ReplicaSets."""
    if POD_TEMPLATE_HASH not in template.metadata.labels:
        return template
    labels = {key: value for key, value in template.metadata.labels.items() if key != POD_TEMPLATE_HASH}
    return replace_metadata(template, labels=labels)  # type: ignore[no-any-return]


def same_template(left: PodTemplateSpec, right: PodTemplateSpec) -> bool:
    """Whether two templates make the same pods, whoever marked them."""
    return without_hash(left) == without_hash(right)


def current_replica_set(deployment: Deployment, replica_sets: Iterable[ReplicaSet]) -> ReplicaSet | None:
    """The ReplicaSet of the Deployment's present template: the oldest, should there be several."""
    template = without_hash(deployment.spec.template)
    found = [each for each in replica_sets if without_hash(each.spec.template) == template]
    return min(found, key=age_order, default=None)


def age_order(replica_set: ReplicaSet) -> tuple[str, str]:
    """Sorts oldest first."""
    return replica_set.metadata.creationTimestamp or "", replica_set.metadata.name


def revision(annotations: Mapping[str, str]) -> int:
    """The revision an annotated Deployment or ReplicaSet is at; 0 when it says none."""
    try:
        return int(annotations.get(REVISION, "0"))
    except ValueError:
        return 0


def revisions(replica_sets: Iterable[ReplicaSet]) -> dict[int, ReplicaSet]:
    """The rollout history: each ReplicaSet under its revision and the earlier ones it stood for, in order."""
    replica_sets = tuple(replica_sets)
    history: dict[int, ReplicaSet] = {}
    for each in replica_sets:
        for past in each.metadata.annotations.get(REVISION_HISTORY, "").split(","):
            if past.isdecimal():
                history.setdefault(int(past), each)
    for each in replica_sets:
        if number := revision(each.metadata.annotations):
            history[number] = each
    return dict(sorted(history.items()))
