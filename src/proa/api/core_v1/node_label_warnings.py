"""Labels of nodes that have had other names for long, and where they are still selected by.

Source: the reference of well-known labels, annotations and taints.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from proa.api.core_v1.placement import NodeSelectorTerm, TopologySelectorTerm
from proa.machinery.fields import Path
from proa.machinery.meta import LabelSelector
from proa.machinery.names import label_value

_OLD: Mapping[str, str] = {
    "beta.kubernetes.io/arch": 'deprecated since v1.14; use "kubernetes.io/arch" instead',
    "beta.kubernetes.io/os": 'deprecated since v1.14; use "kubernetes.io/os" instead',
    "failure-domain.beta.kubernetes.io/region": 'deprecated since v1.17; use "topology.kubernetes.io/region" instead',
    "failure-domain.beta.kubernetes.io/zone": 'deprecated since v1.17; use "topology.kubernetes.io/zone" instead',
    "beta.kubernetes.io/instance-type": 'deprecated since v1.17; use "node.kubernetes.io/instance-type" instead',
    "app.kubernetes.io/created-by": "deprecated since v1.9",
    "scheduler.alpha.kubernetes.io/preferAvoidPods": "deprecated since v1.22; use Taints and Tolerations instead",
    "node-role.kubernetes.io/master": 'use "node-role.kubernetes.io/control-plane" instead',
}


def label_warning(label: str) -> str:
    """What is to be said of a label; '' for nothing."""
    return _OLD.get(label, "")


def keyed_warnings(labels: Mapping[str, str], path: Path) -> list[str]:
    """Of a map of labels at `path`."""
    return [f"{path.key(each)}: {_OLD[each]}" for each in labels if each in _OLD]


def selector_warnings(selector: LabelSelector, path: Path) -> list[str]:
    """Of a selector of nodes by their labels."""
    keys = [each.key for each in selector.matchExpressions]
    found = _expression_warnings(keys, path.child("matchExpressions"))
    at = path.child("matchLabels")
    return found + [f"{at.child(each)}: {_OLD[each]}" for each in selector.matchLabels if each in _OLD]


def term_warnings(term: NodeSelectorTerm, path: Path, *, preferred: bool = False) -> list[str]:
    """preferred: nothing has checked the values yet, since a preference may be in vain."""
    at = path.child("matchExpressions")
    found = _expression_warnings((each.key for each in term.matchExpressions), at)
    if preferred:
        for position, expression in enumerate(term.matchExpressions):
            for number, value in enumerate(expression.values):
                where = at.index(position).child("values").index(number)
                found += [f"{where}: {value} is invalid, {each}" for each in label_value(value)]
    return found


def topology_warnings(terms: Iterable[TopologySelectorTerm], path: Path) -> list[str]:
    """Of the topologies volumes may be made in."""
    return [
        f"{path.index(position).child('matchLabelExpressions').index(number).child('key')}: {_OLD[each.key]}"
        for position, term in enumerate(terms)
        for number, each in enumerate(term.matchLabelExpressions)
        if each.key in _OLD
    ]


def _expression_warnings(keys: Iterable[str], path: Path) -> list[str]:
    return [
        f"{path.index(position).child('key')}: {key} is {_OLD[key]}" for position, key in enumerate(keys) if key in _OLD
    ]
