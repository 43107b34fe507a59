"""On which nodes a DaemonSet's pod belongs, and the pod that goes to one of them. Pure."""

from __future__ import annotations

import msgspec

from proa.api.apps_v1 import DaemonSet
from proa.api.core_v1 import (
    Affinity,
    Node,
    NodeAffinity,
    NodeSelector,
    NodeSelectorRequirement,
    NodeSelectorTerm,
    Pod,
    PodSpec,
    Toleration,
)
from proa.control.pods import pod_from_template
from proa.control.revisions import REVISION_HASH
from proa.rules import taints
from proa.rules.node_selection import selects
from proa.rules.taints import NO_EXECUTE, NO_SCHEDULE, find_untolerated

_TOLERATED = (
    *((key, NO_EXECUTE) for key in (taints.NOT_READY, taints.UNREACHABLE)),
    *(
        (key, NO_SCHEDULE)
        for key in (taints.DISK_PRESSURE, taints.MEMORY_PRESSURE, taints.PID_PRESSURE, taints.UNSCHEDULABLE)
    ),
)
_NAME = "metadata.name"


def tolerations(spec: PodSpec) -> tuple[Toleration, ...]:
    """The pod's own, and those of troubles that a daemon stays through."""
    wanted = (*_TOLERATED, (taints.NETWORK_UNAVAILABLE, NO_SCHEDULE)) if spec.hostNetwork else _TOLERATED
    added = tuple(Toleration(key=key, operator="Exists", effect=effect) for key, effect in wanted)
    return (*spec.tolerations, *(each for each in added if each not in spec.tolerations))


def belongs(daemon_set: DaemonSet, node: Node) -> tuple[bool, bool]:
    """(whether a pod is to be made there, whether one that is there may stay)."""
    spec = daemon_set.spec.template.spec
    if not selects(spec, node):
        return False, False
    tolerated = tolerations(spec)
    if find_untolerated(node.spec.taints, tolerated, (NO_EXECUTE,)) is not None:
        return False, False
    return find_untolerated(node.spec.taints, tolerated, (NO_SCHEDULE,)) is None, True


def pod_for(daemon_set: DaemonSet, node: str, revision: str) -> Pod:
    """The pod for one node; the scheduler binds it, so that resources and ports are counted as anybody's."""
    pod = pod_from_template(daemon_set, daemon_set.spec.template)
    meta = msgspec.structs.replace(pod.metadata, labels={**pod.metadata.labels, REVISION_HASH: revision})
    spec = msgspec.structs.replace(pod.spec, affinity=_only(pod.spec.affinity, node), tolerations=tolerations(pod.spec))
    return msgspec.structs.replace(pod, metadata=meta, spec=spec)


def node_of(pod: Pod) -> str:
    """The node a pod is on, or is for."""
    if pod.spec.nodeName:
        return pod.spec.nodeName
    affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity is not None else None
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    for term in required.nodeSelectorTerms if required is not None else ():
        for each in term.matchFields:
            if each.key == _NAME and each.operator == "In" and len(each.values) == 1:
                return each.values[0]
    return ""


def _only(affinity: Affinity | None, node: str) -> Affinity:
    """The affinity, restricted to one node. Its labels were judged when the node was chosen."""
    name = NodeSelectorRequirement(key=_NAME, operator="In", values=(node,))
    required = NodeSelector(nodeSelectorTerms=(NodeSelectorTerm(matchFields=(name,)),))
    own = affinity or Affinity()
    nodes = msgspec.structs.replace(
        own.nodeAffinity or NodeAffinity(), requiredDuringSchedulingIgnoredDuringExecution=required
    )
    return msgspec.structs.replace(own, nodeAffinity=nodes)
