"""Roles and bindings: what a rule and a subject must say, and that a binding's role may not change."""

from __future__ import annotations

from typing import Any

from proa.api.rbac_v1.types import PolicyRule, Subject
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain, path_segment
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_GROUP = "rbac.authorization.k8s.io"
_RULES = Path("rules")
_SELECTORS = Path("aggregationRule", "clusterRoleSelectors")


class RoleStrategy(DefaultStrategy):
    """`namespaced`: a Role may not name non-resource URLs."""

    creates_on_update = True

    def __init__(self, *, namespaced: bool) -> None:
        self._namespaced = namespaced

    def validate(self, new: Any, errors: ErrorList) -> None:
        for index, rule in enumerate(new.rules):
            self._validate_rule(rule, _RULES.index(index), errors)
        aggregation = None if self._namespaced else new.aggregationRule
        if aggregation is None:
            return
        if not aggregation.clusterRoleSelectors:
            why = "at least one clusterRoleSelector required if aggregationRule is non-nil"
            errors.required(_SELECTORS, why)
        for index, selector in enumerate(aggregation.clusterRoleSelectors):
            validate_label_selector(selector, errors, _SELECTORS.index(index))

    def _validate_rule(self, rule: PolicyRule, at: Path, errors: ErrorList) -> None:
        if not rule.verbs:
            errors.required(at.child("verbs"), "verbs must contain at least one value")
        if rule.nonResourceURLs:
            if self._namespaced:
                errors.invalid(
                    at.child("nonResourceURLs"),
                    list(rule.nonResourceURLs),
                    "namespaced rules cannot apply to non-resource URLs",
                )
            if rule.apiGroups or rule.resources or rule.resourceNames:
                errors.invalid(
                    at.child("nonResourceURLs"),
                    list(rule.nonResourceURLs),
                    "rules cannot apply to both regular resources and non-resource URLs",
                )
            return
        if not rule.apiGroups:
            errors.required(at.child("apiGroups"), "resource rules must supply at least one api group")
        if not rule.resources:
            errors.required(at.child("resources"), "resource rules must supply at least one resource")


class BindingStrategy(DefaultStrategy):
    """role_kinds: what may be bound. A binding in a namespace need not say whose namespace an account is in."""

    creates_on_update = True

    def __init__(self, *, role_kinds: tuple[str, ...]) -> None:
        self._role_kinds = role_kinds
        self._namespaced = "Role" in role_kinds

    def default(self, document: Document) -> None:
        for subject in document.get("subjects") or ():
            if subject.get("kind") in ("User", "Group") and not subject.get("apiGroup"):
                subject["apiGroup"] = _GROUP

    def validate(self, new: Any, errors: ErrorList) -> None:
        role = Path("roleRef")
        if new.roleRef.apiGroup != _GROUP:
            errors.unsupported(role.child("apiGroup"), new.roleRef.apiGroup, (_GROUP,))
        if new.roleRef.kind not in self._role_kinds:
            errors.unsupported(role.child("kind"), new.roleRef.kind, self._role_kinds)
        if not new.roleRef.name:
            errors.required(role.child("name"))
        for wrong in path_segment(new.roleRef.name):
            errors.invalid(role.child("name"), new.roleRef.name, wrong)
        for index, subject in enumerate(new.subjects):
            _validate_subject(subject, Path("subjects").index(index), self._namespaced, errors)

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        if new.roleRef != old.roleRef:
            errors.immutable(
                Path("roleRef"), {"kind": new.roleRef.kind, "name": new.roleRef.name}, "cannot change roleRef"
            )


def _validate_subject(subject: Subject, at: Path, namespaced: bool, errors: ErrorList) -> None:
    if not subject.name:
        errors.required(at.child("name"))
    match subject.kind:
        case "ServiceAccount":
            for wrong in dns1123_subdomain(subject.name) if subject.name else ():
                errors.invalid(at.child("name"), subject.name, wrong)
            if subject.apiGroup:
                errors.unsupported(at.child("apiGroup"), subject.apiGroup, ("",))
            if not namespaced and not subject.namespace:
                errors.required(at.child("namespace"))
        case "User" | "Group":
            if subject.apiGroup != _GROUP:
                errors.unsupported(at.child("apiGroup"), subject.apiGroup, (_GROUP,))
        case _:
            errors.unsupported(at.child("kind"), subject.kind, ("ServiceAccount", "User", "Group"))
