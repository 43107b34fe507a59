"""Which objects a quota is about: its scopes and its scope selector (core/v1 ResourceQuotaSpec)."""

from __future__ import annotations

from collections.abc import Collection, Iterable

from proa.api.core_v1 import PersistentVolumeClaim, Pod, PodAffinityTerm, ResourceQuota
from proa.api.core_v1 import ScopedResourceSelectorRequirement as Scope
from proa.rules.qos import BEST_EFFORT, qos_class
from proa.rules.volumes import attributes_classes

PRIORITY_CLASS, VOLUME_ATTRIBUTES_CLASS = "PriorityClass", "VolumeAttributesClass"


def scopes_of(quota: ResourceQuota) -> tuple[Scope, ...]:
    """Its scopes and its selector in one form: an object must match every one."""
    selector = quota.spec.scopeSelector
    plain = tuple(Scope(scopeName=name, operator="Exists") for name in quota.spec.scopes)
    return plain + (selector.matchExpressions if selector is not None else ())


def pod_matches(scope: Scope, pod: Pod) -> bool:
    spec = pod.spec
    match scope.scopeName:
        case "Terminating":
            return is_terminating(pod)
        case "NotTerminating":
            return not is_terminating(pod)
        case "BestEffort":
            return qos_class(spec) == BEST_EFFORT
        case "NotBestEffort":
            return qos_class(spec) != BEST_EFFORT
        case "PriorityClass":
            return _selects(scope, (spec.priorityClassName,) if spec.priorityClassName else ())
        case "CrossNamespacePodAffinity":
            return any(each.namespaces or each.namespaceSelector is not None for each in _affinity_terms(pod))
        case _:
            return False


def claim_matches(scope: Scope, claim: PersistentVolumeClaim) -> bool:
    return scope.scopeName == VOLUME_ATTRIBUTES_CLASS and _selects(scope, attributes_classes(claim))


def is_terminating(pod: Pod) -> bool:
    """It is made to end: it has a deadline."""
    return pod.spec.activeDeadlineSeconds is not None and pod.spec.activeDeadlineSeconds >= 0


def _selects(scope: Scope, values: Collection[str]) -> bool:
    """Whether any of the values an object has for the scope is one that is asked for; none is a value of its own."""
    match scope.operator:
        case "Exists":
            return bool(values)
        case "DoesNotExist":
            return not values
        case "In":
            return any(each in scope.values for each in values)
        case _:
            return not values or any(each not in scope.values for each in values)


def _affinity_terms(pod: Pod) -> Iterable[PodAffinityTerm]:
    affinity = pod.spec.affinity
    if affinity is None:
        return
    for each in (affinity.podAffinity, affinity.podAntiAffinity):
        if each is not None:
            yield from each.requiredDuringSchedulingIgnoredDuringExecution
            yield from (weighted.podAffinityTerm for weighted in each.preferredDuringSchedulingIgnoredDuringExecution)
