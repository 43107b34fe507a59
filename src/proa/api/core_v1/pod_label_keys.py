"""Selectors of a new pod that follow its own labels: those of pods like it in `matchLabelKeys`, unlike it in
`mismatchLabelKeys` (KEP-3633, KEP-3243).

They become part of the selector once, when the pod is made: whoever reads it later need not know of the keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

Document = dict[str, Any]

_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_OPERATORS = {"matchLabelKeys": "In", "mismatchLabelKeys": "NotIn"}


def merge_label_keys(spec: Document, labels: Mapping[str, str]) -> None:
    """Complete the selectors of a pod's spec, in place; again changes nothing."""
    for term in (*(spec.get("topologySpreadConstraints") or ()), *_affinity_terms(spec.get("affinity") or {})):
        selector = term.get("labelSelector")
        if selector is None:  # matches nothing, whatever the keys say
            continue
        for field, operator in _OPERATORS.items():
            for key in term.get(field) or ():
                if key in labels:
                    _add(selector, {"key": key, "operator": operator, "values": [labels[key]]})


def _affinity_terms(affinity: Document) -> Iterator[Document]:
    for field in ("podAffinity", "podAntiAffinity"):
        chosen = affinity.get(field) or {}
        yield from chosen.get(_REQUIRED) or ()
        yield from (each.get("podAffinityTerm") or {} for each in chosen.get(_PREFERRED) or ())


def _add(selector: Document, expression: Document) -> None:
    expressions = selector.setdefault("matchExpressions", [])
    if expression not in expressions:
        expressions.append(expression)
