"""What the status of a definition says: which names are accepted, and whether its resources are served. Pure.

Names of one group are given to whoever asked first; whoever asks later keeps what it has and waits for the rest.
NonStructuralSchema is never among them: it tells of schemas that came as v1beta1 before 1.22, and v1 refuses such ones.
Not here: writing the status (`controller`).
"""

from __future__ import annotations

from collections.abc import Iterable

from msgspec.structs import replace

from proa.api.apiextensions_v1 import (
    CustomResourceDefinition,
    CustomResourceDefinitionCondition,
    CustomResourceDefinitionNames,
    CustomResourceDefinitionStatus,
)
from proa.api.apiextensions_v1.validation import approval, is_protected
from proa.machinery.fields import quoted

ESTABLISHED = "Established"
NAMES_ACCEPTED = "NamesAccepted"
TERMINATING = "Terminating"
API_APPROVAL = "KubernetesAPIApprovalPolicyConformant"

Condition = CustomResourceDefinitionCondition


def is_true(crd: CustomResourceDefinition, type: str) -> bool:
    """Whether the definition has the condition."""
    return any(each.type == type and each.status == "True" for each in crd.status.conditions)


def status_of(
    crd: CustomResourceDefinition, others: Iterable[CustomResourceDefinition], now: str
) -> CustomResourceDefinitionStatus:
    """The status a definition should have. others: all other definitions of its group."""
    names, accepted = _names(crd, others)
    conditions = with_condition(crd.status.conditions, accepted, now)
    if not is_true(crd, ESTABLISHED):
        if accepted.status == "True":
            said = Condition(
                type=ESTABLISHED,
                status="True",
                reason="InitialNamesAccepted",
                message="the initial names have been accepted",
            )
        else:
            said = Condition(
                type=ESTABLISHED, status="False", reason="NotAccepted", message="not all names are accepted"
            )
        conditions = with_condition(conditions, said, now)
    approval = _approval(crd)
    if approval is not None:
        conditions = with_condition(conditions, approval, now)
    return replace(crd.status, acceptedNames=names, conditions=conditions)


def with_condition(conditions: tuple[Condition, ...], said: Condition, now: str) -> tuple[Condition, ...]:
    """The conditions with this one; its time changes when its status does."""
    before = next((each for each in conditions if each.type == said.type), None)
    if before is None:
        return (*conditions, replace(said, lastTransitionTime=now))
    time = before.lastTransitionTime if before.status == said.status else now
    said = replace(said, lastTransitionTime=time or now)
    return tuple(said if each is before else each for each in conditions)


def _names(
    crd: CustomResourceDefinition, others: Iterable[CustomResourceDefinition]
) -> tuple[CustomResourceDefinitionNames, Condition]:
    """The names it may have now, and the condition that says whether they are those it asks for."""
    resources: set[str] = set()
    kinds: set[str] = set()
    for each in others:
        taken = each.status.acceptedNames
        resources |= {taken.plural, taken.singular, *taken.shortNames}
        kinds |= {taken.kind, taken.listKind}
    asked, have = crd.spec.names, crd.status.acceptedNames
    given = have
    problem: Condition | None = None

    def refuse(reason: str, *names: str) -> None:
        nonlocal problem
        listed = ", ".join(f"{quoted(name)} is already in use" for name in names)
        text = f"[{listed}]" if len(names) > 1 else listed
        problem = Condition(type=NAMES_ACCEPTED, status="False", reason=reason, message=text)

    if asked.plural != have.plural and asked.plural in resources:
        refuse("PluralConflict", asked.plural)
    else:
        given = replace(given, plural=asked.plural)
    if asked.singular != have.singular and asked.singular in resources:
        refuse("SingularConflict", asked.singular)
    else:
        given = replace(given, singular=asked.singular)
    if asked.shortNames != have.shortNames:
        taken_short = [name for name in asked.shortNames if name not in have.shortNames and name in resources]
        if taken_short:
            refuse("ShortNamesConflict", *taken_short)
        else:
            given = replace(given, shortNames=asked.shortNames)
    if asked.kind != have.kind and asked.kind in kinds:
        refuse("KindConflict", asked.kind)
    else:
        given = replace(given, kind=asked.kind)
    if asked.listKind != have.listKind and asked.listKind in kinds:
        refuse("ListKindConflict", asked.listKind)
    else:
        given = replace(given, listKind=asked.listKind)
    given = replace(given, categories=asked.categories)
    well = Condition(type=NAMES_ACCEPTED, status="True", reason="NoConflicts", message="no conflicts found")
    return given, problem or well


def _approval(crd: CustomResourceDefinition) -> Condition | None:
    if not is_protected(crd.spec.group):
        return None
    reason, message = approval(crd.metadata.annotations)
    status = "True" if reason == "ApprovedAnnotation" else "False"
    return Condition(type=API_APPROVAL, status=status, reason=reason, message=message)
