"""In which order groups and versions are listed, which is also which of them clients prefer.

Values and pure functions. Not here: where the priorities of remote and custom groups come from (their APIService).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

GroupVersion = tuple[str, str]


class Priority(NamedTuple):
    """spec.groupPriorityMinimum and spec.versionPriority of an APIService; higher comes first."""

    group: int
    version: int


CUSTOM = Priority(1000, 100)
"""Of every version of a custom resource's group."""

# The API of APIServices itself comes first and has no APIService.
_FIRST = Priority(20001, 0)
_SELF = "apiregistration.k8s.io"
_STABLE = 15
_GROUPS: Mapping[str, int] = {
    "": 18000,
    "apps": 17800,
    "events.k8s.io": 17750,
    "authentication.k8s.io": 17700,
    "authorization.k8s.io": 17600,
    "autoscaling": 17500,
    "batch": 17400,
    "certificates.k8s.io": 17300,
    "networking.k8s.io": 17200,
    "policy": 17100,
    "rbac.authorization.k8s.io": 17000,
    "storage.k8s.io": 16800,
    "admissionregistration.k8s.io": 16700,
    "apiextensions.k8s.io": 16700,
    "scheduling.k8s.io": 16600,
    "coordination.k8s.io": 16500,
    "node.k8s.io": 16300,
    "discovery.k8s.io": 16200,
    "resource.k8s.io": 16200,
    "flowcontrol.apiserver.k8s.io": 16100,
    "internal.apiserver.k8s.io": 16000,
    "storagemigration.k8s.io": 15800,
}
_VERSIONS: Mapping[GroupVersion, int] = {
    ("", "v1"): 1,
    ("autoscaling", "v2"): 30,
    ("flowcontrol.apiserver.k8s.io", "v1"): 21,
    ("resource.k8s.io", "v1"): 21,
}
_VERSION = re.compile(r"v([1-9]\d*)(?:(alpha|beta)([1-9]\d*))?")
_STAGES = {None: 3, "beta": 2, "alpha": 1}


def builtin_priority(group: str, version: str) -> Priority | None:
    """The priority of a group version that this server itself has; None for one that has no APIService."""
    if group not in _GROUPS:
        return None
    stable = _STABLE if "alpha" not in version and "beta" not in version else 9
    return Priority(_GROUPS[group], _VERSIONS.get((group, version), stable))


def listing_priority(group: str, version: str, known: Mapping[GroupVersion, Priority]) -> Priority:
    """Where a group version stands in lists. known: what APIServices say."""
    if group == _SELF:
        return _FIRST
    return known.get((group, version)) or builtin_priority(group, version) or CUSTOM


def version_order(version: str) -> tuple[int, int, int, str]:
    """Sorts versions as clients expect: stable before beta before alpha, higher numbers first, other names last."""
    found = _VERSION.fullmatch(version)
    if found is None:
        return (0, 0, 0, version)
    return (-_STAGES[found[2]], -int(found[1]), -int(found[3] or 0), "")


def ordered(versions: Mapping[GroupVersion, Priority]) -> list[GroupVersion]:
    """Group versions in listing order: groups by their highest priority, then by name; within them by priority."""
    groups: dict[str, int] = {}
    for (group, _), priority in versions.items():
        groups[group] = max(groups.get(group, 0), priority.group)
    return sorted(
        versions, key=lambda each: (-groups[each[0]], each[0], -versions[each].version, version_order(each[1]))
    )
