"""What may change of a pod that is there.

A pod that waits for scheduling gates may be told more about where it may go, never less (KEP-3838). Not here: its
annotations (`pod_annotations`), its status (`pod_status`), changes through other subresources (`rules.pod_updates`).
"""

from __future__ import annotations

from msgspec.structs import replace

from proa.api.core_v1.placement import Affinity, NodeAffinity, NodeSelectorTerm
from proa.api.core_v1.pod import Pod, PodSpec
from proa.machinery.fields import ErrorList, Path

_SPEC = Path("spec")
_REQUIRED = _SPEC.child("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")
_ONLY_THESE = (
    "pod updates may not change fields other than `spec.containers[*].image`,"
    "`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to"
    " existing tolerations),`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was"
    " previously negative)"
)


def check_changes(new: Pod, old: Pod, errors: ErrorList) -> None:
    after, before = new.spec, old.spec
    for field in ("containers", "initContainers"):
        if len(getattr(after, field)) != len(getattr(before, field)):
            errors.forbidden(_SPEC.child(field), "pod updates may not add or remove containers")
            return
    if not _check_deadline(after.activeDeadlineSeconds, before.activeDeadlineSeconds, errors):
        return
    kept = {replace(each, tolerationSeconds=None) for each in after.tolerations}
    if any(replace(each, tolerationSeconds=None) not in kept for each in before.tolerations):
        text = "existing toleration can not be modified except its tolerationSeconds"
        errors.forbidden(_SPEC.child("tolerations"), text)
    gates = {each.name for each in before.schedulingGates}
    for index, gate in enumerate(after.schedulingGates):
        if gate.name not in gates:
            detail = f"only deletion is allowed, but found new scheduling gate '{gate.name}'"
            errors.forbidden(_SPEC.child("schedulingGates").index(index).child("name"), detail)
    if gates:
        after = _check_narrowing(after, before, errors)
    if _without_mutable(after) != _without_mutable(before) or not _may_end_within(after, before):
        errors.forbidden(_SPEC, _ONLY_THESE)


def _check_deadline(after: int | None, before: int | None, errors: ErrorList) -> bool:
    """Whether the rest is worth a look."""
    where = _SPEC.child("activeDeadlineSeconds")
    if after is not None and before is not None and after > before:
        errors.invalid(where, after, "must be less than or equal to previous value")
        return False
    if after is None and before is not None:
        errors.invalid(where, None, "must not update from a positive integer to nil value")
    return True


def _check_narrowing(after: PodSpec, before: PodSpec, errors: ErrorList) -> PodSpec:
    """The new spec without what a pod that waits may have been told about its node, which is checked here."""
    if any(after.nodeSelector.get(key) != value for key, value in before.nodeSelector.items()):
        detail = "only additions to spec.nodeSelector are allowed (no mutations or deletions)"
        errors.invalid(_SPEC.child("nodeSelector"), after.nodeSelector, detail)
    new, old = (each.affinity.nodeAffinity if each.affinity is not None else None for each in (after, before))
    _check_terms(_terms(new), _terms(old), errors)
    affinity = replace(after.affinity or Affinity(), nodeAffinity=old)
    none = affinity == Affinity() and before.affinity is None
    return replace(after, nodeSelector=before.nodeSelector, affinity=None if none else affinity)


def _terms(affinity: NodeAffinity | None) -> tuple[NodeSelectorTerm, ...]:
    required = affinity.requiredDuringSchedulingIgnoredDuringExecution if affinity is not None else None
    return required.nodeSelectorTerms if required is not None else ()


def _check_terms(after: tuple[NodeSelectorTerm, ...], before: tuple[NodeSelectorTerm, ...], errors: ErrorList) -> None:
    where = _REQUIRED.child("nodeSelectorTerms")
    if before and len(after) != len(before):
        errors.invalid(where, after, "no additions/deletions to non-empty NodeSelectorTerms list are allowed")
        return
    for index, (new, old) in enumerate(zip(after, before, strict=False)):
        if not _only_more(new, old):
            errors.invalid(where.index(index), new, "only additions are allowed (no mutations or deletions)")


def _only_more(new: NodeSelectorTerm, old: NodeSelectorTerm) -> bool:
    """Whether a term asks what it asked, and perhaps more. One that asks nothing matches no node, and must not begin."""
    if old == NodeSelectorTerm():
        return new == old
    fields = ("matchExpressions", "matchFields")
    return all(getattr(new, each)[: len(getattr(old, each))] == getattr(old, each) for each in fields)


def _without_mutable(spec: PodSpec) -> PodSpec:
    """The part of a pod's spec that no update may change."""
    return replace(
        spec,
        containers=tuple(replace(each, image="") for each in spec.containers),
        initContainers=tuple(replace(each, image="") for each in spec.initContainers),
        activeDeadlineSeconds=None,
        tolerations=(),
        terminationGracePeriodSeconds=None,
        schedulingGates=(),
    )


def _may_end_within(new: PodSpec, old: PodSpec) -> bool:
    """Whether a pod's grace period is what it was, or is made what a negative one is treated as."""
    before, after = old.terminationGracePeriodSeconds, new.terminationGracePeriodSeconds
    return before == after or (before is not None and before < 0 and after == 1)
