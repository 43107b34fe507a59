"""Roles and bindings: what a rule and a subject must say, and that a binding's role may not change."""

from __future__ import annotations

from typing import Any

from proa.api.rbac_v1.types import PolicyRule
from proa.machinery.fields import ErrorList, Path
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_GROUP = "rbac.authorization.k8s.io"
_RULES = Path("rules")


class RoleStrategy(DefaultStrategy):
    """`namespaced`: a Role may not name non-resource URLs."""

    def __init__(self, *, namespaced: bool) -> None:
        self._namespaced = namespaced

    def validate(self, new: Any, errors: ErrorList) -> None:
        for index, rule in enumerate(new.rules):
            self._validate_rule(rule, _RULES.index(index), errors)

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
    def __init__(self, *, role_kinds: tuple[str, ...]) -> None:
        self._role_kinds = role_kinds

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
        for index, subject in enumerate(new.subjects):
            at = Path("subjects").index(index)
            if not subject.name:
                errors.required(at.child("name"))
            if subject.kind not in ("User", "Group", "ServiceAccount"):
                errors.unsupported(at.child("kind"), subject.kind, ("ServiceAccount", "User", "Group"))
            elif subject.kind == "ServiceAccount" and not subject.namespace:
                errors.required(at.child("namespace"))

    def validate_update(self, new: Any, old: Any, errors: ErrorList) -> None:
        if new.roleRef != old.roleRef:
            errors.immutable(
                Path("roleRef"), {"kind": new.roleRef.kind, "name": new.roleRef.name}, "cannot change roleRef"
            )
