"""A pod's quality of service class: who is throttled and killed first when a node runs short (core/v1 PodQOSClass)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from proa.api.core_v1 import PodSpec
from proa.machinery.quantity import parse
from proa.machinery.scalars import Quantity

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

_COUNTED = ("cpu", "memory")

Amounts = Mapping[str, Quantity]


def qos_class(spec: PodSpec) -> str:
    """Guaranteed: every container limits cpu and memory and requests just that. BestEffort: none says anything."""
    own = spec.resources
    if own is not None and (own.limits or own.requests):
        return _class_of([(own.limits, own.requests)])
    containers = (*spec.initContainers, *spec.containers)
    return _class_of([(each.resources.limits, each.resources.requests) for each in containers])


def qos_class_of_document(spec: Mapping[str, Any]) -> str:
    """The same of a spec as JSON has it. Raises QuantityError."""
    own = spec.get("resources")
    if own and (own.get("limits") or own.get("requests")):
        return _class_of([_amounts(own)])
    containers = (*(spec.get("initContainers") or ()), *(spec.get("containers") or ()))
    return _class_of([_amounts(each.get("resources") or {}) for each in containers])


def _amounts(resources: Mapping[str, Any]) -> tuple[Amounts, Amounts]:
    return resources.get("limits") or {}, resources.get("requests") or {}


def _class_of(resources: Iterable[tuple[Amounts, Amounts]]) -> str:
    """By the limits and the requests of each container."""
    said = False
    guaranteed = True
    for limits, requests in resources:
        for name in _COUNTED:
            limit = parse(limits[name]).nanos if name in limits else 0
            request = parse(requests[name]).nanos if name in requests else limit
            said = said or limit != 0 or request != 0
            guaranteed = guaranteed and limit != 0 and limit == request
            if said and not guaranteed:
                return BURSTABLE
    return GUARANTEED if said else BEST_EFFORT
