"""Whether labels match a selector as objects declare it (meta/v1 LabelSelector, or a plain map as Services have).

An empty LabelSelector matches everything, an absent one nothing. Not here: selectors as query texts (machinery).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from proa.machinery.meta import LabelSelector


def matches(selector: LabelSelector | Mapping[str, str] | None, labels: Mapping[str, str]) -> bool:
    """Whether every requirement holds for `labels`. A plain map (ReplicationController) selects nothing when empty."""
    if selector is None:
        return False
    if isinstance(selector, Mapping):
        return bool(selector) and matches_map(selector, labels)
    if not matches_map(selector.matchLabels, labels):
        return False
    return all(holds(requirement, labels) for requirement in selector.matchExpressions)


def matches_map(wanted: Mapping[str, str], labels: Mapping[str, str]) -> bool:
    """Whether `labels` has every wanted label."""
    return all(labels.get(key) == value for key, value in wanted.items())


def is_empty(selector: LabelSelector | None) -> bool:
    """Whether it has no requirement: as a LabelSelector it then matches everything."""
    return selector is None or not (selector.matchLabels or selector.matchExpressions)


class Requirement(Protocol):
    """What a LabelSelector's and a NodeSelector's requirement have in common."""

    @property
    def key(self) -> str: ...
    @property
    def operator(self) -> str: ...
    @property
    def values(self) -> Sequence[str]: ...


def holds(requirement: Requirement, labels: Mapping[str, str]) -> bool:
    """Whether one requirement holds, by the operators that every selector has."""
    value = labels.get(requirement.key)
    match requirement.operator:
        case "In":
            return value in requirement.values
        case "NotIn":
            return value not in requirement.values
        case "Exists":
            return value is not None
        case "DoesNotExist":
            return value is None
        case operator:
            raise ValueError(f"label selector operator {operator!r}: one of In, NotIn, Exists, DoesNotExist")
