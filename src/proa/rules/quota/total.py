"""What a whole namespace uses of what a quota limits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from proa.api.core_v1 import ResourceQuota
from proa.machinery.quantity import ZERO
from proa.rules.quota.evaluators import COUNT_PREFIX, EVALUATORS, evaluator_of
from proa.rules.quota.scopes import scopes_of
from proa.rules.resources import Quantities

_ALIASES = ("configmaps", "resourcequotas", "replicationcontrollers", "secrets")


def sources_of(names: Iterable[str]) -> set[str]:
    """The resources (`deployments.apps`) whose objects a quota of these names counts."""
    names = tuple(names)
    counted = {each.removeprefix(COUNT_PREFIX) for each in names if each.startswith(COUNT_PREFIX)}
    measured = {each.qualified for each in EVALUATORS if each.names(names)}
    return counted | measured | {each for each in _ALIASES if each in names}


def total(quota: ResourceQuota, objects: Mapping[str, Iterable[Any]], now: datetime) -> Quantities:
    """The usage of the names in `spec.hard`, over `objects` by resource; a name nobody measures is left out."""
    scopes = scopes_of(quota)
    used: Quantities = {}
    for qualified, found in objects.items():
        evaluator = evaluator_of(qualified)
        names = evaluator.names(quota.spec.hard)
        mine = dict.fromkeys(names, ZERO)
        for obj in found:
            if all(evaluator.matches(scope, obj) for scope in scopes):
                usage = evaluator.usage(obj, now)
                for name in names:
                    if name in usage:
                        mine[name] += usage[name]
        used |= mine
    return used
