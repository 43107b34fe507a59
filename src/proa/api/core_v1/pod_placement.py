"""What makes wishes about a pod's place wrong: affinity, spreading, tolerations.

Source: the API reference of core/v1 Affinity, TopologySpreadConstraint and Toleration. Not here: choices of nodes,
which volumes make, too (`placement_validation`).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from proa.api.core_v1.placement import (
    Affinity,
    NodeAffinity,
    PodAffinity,
    PodAffinityTerm,
    PodAntiAffinity,
    Toleration,
    TopologySpreadConstraint,
)
from proa.api.core_v1.placement_validation import validate_node_selector, validate_node_selector_term
from proa.api.core_v1.pod_checks import check, report
from proa.machinery.fields import ROOT, ErrorList, FieldError, Path
from proa.machinery.meta import LabelSelector
from proa.machinery.names import dns1123_label, label_value, qualified_name
from proa.machinery.object_meta import validate_label_selector

_REQUIRED, _PREFERRED = (
    "requiredDuringSchedulingIgnoredDuringExecution",
    "preferredDuringSchedulingIgnoredDuringExecution",
)
_POSITIVE = "must be greater than zero"


def validate_affinity(affinity: Affinity, path: Path, errors: ErrorList) -> None:
    if affinity.nodeAffinity is not None:
        _validate_node_affinity(affinity.nodeAffinity, path.child("nodeAffinity"), errors)
    for field in ("podAffinity", "podAntiAffinity"):
        chosen = getattr(affinity, field)
        if chosen is not None:
            _validate_pod_affinity(chosen, path.child(field), errors)


def _validate_node_affinity(affinity: NodeAffinity, path: Path, errors: ErrorList) -> None:
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution
    if required is not None:
        validate_node_selector(required, path.child(_REQUIRED), errors)
    for index, term in enumerate(affinity.preferredDuringSchedulingIgnoredDuringExecution):
        where = path.child(_PREFERRED).index(index)
        _check_weight(term.weight, where, errors)
        # A preference for what no label can be was never refused: it prefers no node.
        validate_node_selector_term(term.preference, where.child("preference"), errors, any_value=True)


def _validate_pod_affinity(affinity: PodAffinity | PodAntiAffinity, path: Path, errors: ErrorList) -> None:
    for index, term in enumerate(affinity.requiredDuringSchedulingIgnoredDuringExecution):
        _validate_term(term, path.child(_REQUIRED).index(index), errors)
    for index, weighted in enumerate(affinity.preferredDuringSchedulingIgnoredDuringExecution):
        where = path.child(_PREFERRED).index(index)
        _check_weight(weighted.weight, where, errors)
        _validate_term(weighted.podAffinityTerm, where.child("podAffinityTerm"), errors)


def _check_weight(weight: int, path: Path, errors: ErrorList) -> None:
    if not 1 <= weight <= 100:
        errors.invalid(path.child("weight"), weight, "must be in the range 1-100")


def _validate_term(term: PodAffinityTerm, path: Path, errors: ErrorList) -> None:
    validate_label_selector(term.labelSelector, errors, path.child("labelSelector"))
    validate_label_selector(term.namespaceSelector, errors, path.child("namespaceSelector"))
    for namespace in term.namespaces:
        check(errors, dns1123_label, namespace, path, "namespace")
    _validate_label_keys(term.matchLabelKeys, term.mismatchLabelKeys, term.labelSelector, path, errors)
    if not term.topologyKey:
        errors.required(path.child("topologyKey"), "can not be empty")
    check(errors, qualified_name, term.topologyKey, path, "topologyKey")


def _validate_label_keys(
    alike: Sequence[str], other: Sequence[str], selector: LabelSelector | None, path: Path, errors: ErrorList
) -> None:
    """Keys whose values are the pod's own (matchLabelKeys), or just not."""
    for field, keys in (("matchLabelKeys", alike), ("mismatchLabelKeys", other)):
        if keys and selector is None:
            errors.forbidden(path.child(field), "must not be specified when labelSelector is not set")
        elif keys:
            for index, key in enumerate(keys):
                check(errors, qualified_name, key, path, field, index)
    if selector is not None and alike:
        said = set(selector.matchLabels)
        for expression in selector.matchExpressions:
            key = expression.key
            if key in alike and key in said:
                errors.invalid(path.index(alike.index(key)), key, "exists in both matchLabelKeys and labelSelector")
            said.add(key)
    for index, key in enumerate(alike):
        if key in other:
            detail = "exists in both matchLabelKeys and mismatchLabelKeys"
            errors.invalid(path.child("matchLabelKeys").index(index), key, detail)


def validate_spreading(constraints: Sequence[TopologySpreadConstraint], path: Path, errors: ErrorList) -> None:
    """path: of the list."""
    pairs = [(each.topologyKey, each.whenUnsatisfiable) for each in constraints]
    for index, constraint in enumerate(constraints):
        where = path.index(index)
        if constraint.maxSkew <= 0:
            errors.invalid(where.child("maxSkew"), constraint.maxSkew, _POSITIVE)
        if not constraint.topologyKey:
            errors.required(where.child("topologyKey"), "can not be empty")
        if not constraint.whenUnsatisfiable:
            errors.unsupported(where.child("whenUnsatisfiable"), "", ("DoNotSchedule", "ScheduleAnyway"))
        if pairs[index] in pairs[index + 1 :]:
            errors.duplicate(where.child("{topologyKey, whenUnsatisfiable}"), f"{{{', '.join(pairs[index])}}}")
        least, action = constraint.minDomains, constraint.whenUnsatisfiable
        if least is not None and least <= 0:
            errors.invalid(where.child("minDomains"), least, _POSITIVE)
        if least is not None and action != "DoNotSchedule":
            detail = f"can only use minDomains if whenUnsatisfiable=DoNotSchedule, not {action}"
            errors.invalid(where.child("minDomains"), least, detail)
        _validate_label_keys(constraint.matchLabelKeys, (), constraint.labelSelector, where, errors)
        validate_label_selector(constraint.labelSelector, errors, where.child("labelSelector"))


def validate_tolerations(tolerations: Sequence[Toleration], path: Path, errors: ErrorList) -> None:
    """path: of the list."""
    for index, toleration in enumerate(tolerations):
        found = _toleration_problems(toleration)
        if found:
            report(errors, path.index(index), found)


@lru_cache(1024)
def _toleration_problems(toleration: Toleration) -> tuple[FieldError, ...]:
    errors = ErrorList()
    operator, value = toleration.operator, toleration.value
    if toleration.key:
        check(errors, qualified_name, toleration.key, ROOT, "key")
    elif operator != "Exists":
        detail = 'operator must be Exists when `key` is empty, which means "match all values and all keys"'
        errors.invalid(ROOT.child("operator"), operator, detail)
    if toleration.tolerationSeconds is not None and toleration.effect != "NoExecute":
        detail = "effect must be 'NoExecute' when `tolerationSeconds` is set"
        errors.invalid(ROOT.child("effect"), toleration.effect, detail)
    if operator in ("", "Equal"):
        problems = label_value(value)
        if problems:
            errors.invalid(ROOT.child("operator"), value, ";".join(problems))
    elif operator == "Exists" and value:
        errors.invalid(ROOT.child("operator"), value, "value must be empty when `operator` is 'Exists'")
    elif operator in ("Lt", "Gt") and not _is_integer(value):
        errors.invalid(ROOT.child("value"), value, "must be a valid decimal integer in canonical form")
    return tuple(errors)


def _is_integer(value: str) -> bool:
    """As a 64-bit number is written, without anything that could be left out."""
    try:
        return str(int(value)) == value and -(2**63) <= int(value) < 2**63
    except ValueError:
        return False
