"""Whether a pod may be on a given node by what it says of nodes: selector and required affinity (core/v1 NodeSelector).

For one pod and one node; the scheduler asks for all nodes at once, in columns of its own.
"""

from __future__ import annotations

from collections.abc import Mapping

from proa.api.core_v1 import Node, NodeSelectorRequirement, NodeSelectorTerm, PodSpec
from proa.rules.selection import holds


def selects(spec: PodSpec, node: Node) -> bool:
    """Whether `nodeName`, `nodeSelector` and the required node affinity allow the node."""
    if spec.nodeName and spec.nodeName != node.metadata.name:
        return False
    labels = node.metadata.labels
    if any(labels.get(key) != value for key, value in spec.nodeSelector.items()):
        return False
    affinity = spec.affinity.nodeAffinity if spec.affinity is not None else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    return required is None or any(_term(each, node) for each in required.nodeSelectorTerms)


def _term(term: NodeSelectorTerm, node: Node) -> bool:
    """Terms are alternatives; one without requirements allows nothing."""
    if not term.matchExpressions and not term.matchFields:
        return False
    fields = {"metadata.name": node.metadata.name}
    return all(_holds(each, node.metadata.labels) for each in term.matchExpressions) and all(
        _holds(each, fields) for each in term.matchFields
    )


def _holds(requirement: NodeSelectorRequirement, labels: Mapping[str, str]) -> bool:
    """A node's labels can be compared as numbers, too."""
    if requirement.operator not in ("Gt", "Lt"):
        return holds(requirement, labels)
    try:
        found, limit = int(labels.get(requirement.key, "")), int(requirement.values[0])
    except (ValueError, IndexError):
        return False
    return found > limit if requirement.operator == "Gt" else found < limit
