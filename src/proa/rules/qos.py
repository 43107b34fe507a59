"""A pod's quality of service class: who is throttled and killed first when a node runs short (core/v1 PodQOSClass)."""

from __future__ import annotations

from proa.api.core_v1 import PodSpec
from proa.machinery.quantity import ZERO, parse

GUARANTEED, BURSTABLE, BEST_EFFORT = "Guaranteed", "Burstable", "BestEffort"

_COUNTED = ("cpu", "memory")


def qos_class(spec: PodSpec) -> str:
    """Guaranteed: every container limits cpu and memory and requests just that. BestEffort: none says anything."""
    resources = [each.resources for each in (*spec.initContainers, *spec.containers)]
    if spec.resources is not None and (spec.resources.requests or spec.resources.limits):
        resources = [spec.resources]
    said = False
    guaranteed = True
    for each in resources:
        for name in _COUNTED:
            limit = parse(each.limits[name]) if name in each.limits else ZERO
            request = parse(each.requests[name]) if name in each.requests else limit
            said = said or bool(limit) or bool(request)
            guaranteed = guaranteed and bool(limit) and limit == request
    if not said:
        return BEST_EFFORT
    return GUARANTEED if guaranteed else BURSTABLE
