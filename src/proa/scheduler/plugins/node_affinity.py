"""NodeAffinity: node selectors and node affinity, required and preferred, over label columns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from proa.api.core_v1 import NodeSelectorRequirement, NodeSelectorTerm, Pod
from proa.scheduler.columns import Bools, Columns, Demand, Rows
from proa.scheduler.framework import Happening, Scores

Match = Callable[[Columns, Rows | slice], Bools]


@dataclass(frozen=True, slots=True)
class _Required:
    selector: tuple[tuple[str, str], ...]
    terms: tuple[NodeSelectorTerm, ...] | None


class NodeAffinity:
    name = "NodeAffinity"
    retry_on = Happening.NODE_ADDED | Happening.NODE_LABELS
    weight = 2
    normalize = "max"

    def filter_features(self, pod: Pod, demand: Demand, columns: Columns) -> _Required | None:
        affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity is not None else None
        required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
        if not pod.spec.nodeSelector and required is None:
            return None
        terms = required.nodeSelectorTerms if required is not None else None
        return _Required(tuple(pod.spec.nodeSelector.items()), terms)

    def filter(self, features: _Required, columns: Columns, rows: Rows | slice) -> Bools:
        matches = _all_rows(columns, rows)
        for key, value in features.selector:
            matches &= columns.label(key).has_any((value,), rows)
        if features.terms is not None:
            matches &= _any_term(features.terms, columns, rows)
        return ~matches

    def reasons(self, features: Any, code: int) -> Sequence[str]:
        return ("node(s) didn't match Pod's node affinity/selector",)

    def score_features(
        self, pod: Pod, demand: Demand, columns: Columns
    ) -> Sequence[tuple[int, NodeSelectorTerm]] | None:
        affinity = pod.spec.affinity.nodeAffinity if pod.spec.affinity is not None else None
        preferred = affinity.preferredDuringSchedulingIgnoredDuringExecution if affinity is not None else ()
        return tuple((each.weight, each.preference) for each in preferred) or None

    def score(self, features: Sequence[tuple[int, NodeSelectorTerm]], columns: Columns, rows: Rows | slice) -> Scores:
        total: Scores = np.zeros(len(columns.exists[rows]), np.float64)
        for weight, term in features:
            if term.matchExpressions or term.matchFields:
                total += weight * _term(term, columns, rows)
        return total


def _all_rows(columns: Columns, rows: Rows | slice) -> Bools:
    return np.ones(len(columns.exists[rows]), np.bool_)


def _any_term(terms: Sequence[NodeSelectorTerm], columns: Columns, rows: Rows | slice) -> Bools:
    """Terms are alternatives; a term without requirements matches nothing."""
    matches = ~_all_rows(columns, rows)
    for each in terms:
        if each.matchExpressions or each.matchFields:
            matches |= _term(each, columns, rows)
    return matches


def _term(term: NodeSelectorTerm, columns: Columns, rows: Rows | slice) -> Bools:
    matches = _all_rows(columns, rows)
    for each in term.matchExpressions:
        matches &= _expression(each, columns, rows)
    for each in term.matchFields:
        matches &= _field(each, columns, rows)
    return matches


def _expression(requirement: NodeSelectorRequirement, columns: Columns, rows: Rows | slice) -> Bools:
    label = columns.label(requirement.key)
    match requirement.operator:
        case "In":
            return label.has_any(requirement.values, rows)
        case "NotIn":
            return ~label.has_any(requirement.values, rows)
        case "Exists":
            return label.present(rows)
        case "DoesNotExist":
            return ~label.present(rows)
        case "Gt" | "Lt" if len(requirement.values) == 1 and requirement.values[0].lstrip("-").isdigit():
            return label.compares(int(requirement.values[0]), rows, greater=requirement.operator == "Gt")
        case _:
            return ~_all_rows(columns, rows)


def _field(requirement: NodeSelectorRequirement, columns: Columns, rows: Rows | slice) -> Bools:
    """The only field is metadata.name."""
    wanted = [columns.row_of[each] for each in requirement.values if each in columns.row_of]
    named: Bools = np.isin(np.arange(len(columns.exists))[rows], wanted)
    return named if requirement.operator == "In" else ~named
