"""The RBAC authorizer: roles and bindings to decisions (rbac.authorization.k8s.io/v1).

It keeps no copy of its own beyond a memo: for each user and namespace the rules that apply, forgotten whenever a role
or binding changes. Not here: matching one rule (`proa.rules.rbac`), the default policy (`default_cluster_roles`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from proa.api.rbac_v1 import ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef, Subject
from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from proa.apiserver.identity import (
    NO_OPINION,
    AccessAttributes,
    DecidesFromMemory,
    Decision,
    SubjectRules,
    User,
    Verdict,
)
from proa.client.informer import Informers
from proa.machinery.fields import quoted
from proa.rules.rbac import covers_path, covers_resource

_ACCOUNT_PREFIX = "system:serviceaccount:"


class Grant(msgspec.Struct, frozen=True):
    """One rule, and why it applies to the user."""

    rule: PolicyRule
    binding: ClusterRoleBinding | RoleBinding
    subject: Subject

    def __str__(self) -> str:
        meta, role = self.binding.metadata, self.binding.roleRef
        name = f"{meta.name}/{meta.namespace}" if meta.namespace else meta.name
        subject = self.subject.name
        if self.subject.kind == "ServiceAccount":
            subject = f"{subject}/{self.subject.namespace or meta.namespace}"
        return (
            f"{self.binding.kind} {quoted(name)} of {role.kind} {quoted(role.name)} "
            f"to {self.subject.kind} {quoted(subject)}"
        )


class _Known(msgspec.Struct, frozen=True):
    """What applies to a user in a namespace. missing: errors about roles that are bound and do not exist."""

    grants: tuple[Grant, ...]
    missing: tuple[str, ...]


class RbacAuthorizer(DecidesFromMemory):
    """Allows what some bound rule covers; has no opinion on the rest (RBAC never denies)."""

    def __init__(self, informers: Informers) -> None:
        self._roles = informers.informer(ROLES)
        self._cluster_roles = informers.informer(CLUSTER_ROLES)
        self._bindings = informers.informer(ROLE_BINDINGS)
        self._cluster_bindings = informers.informer(CLUSTER_ROLE_BINDINGS)
        self._generation = 0
        self._memo: dict[tuple[str, tuple[str, ...], str], _Known] = {}
        for each in (self._roles, self._cluster_roles, self._bindings, self._cluster_bindings):
            each.on_change(self._changed)

    @property
    def generation(self) -> int:
        return self._generation

    async def synced(self) -> None:
        """Return once every role and binding has been seen."""
        for each in (self._roles, self._cluster_roles, self._bindings, self._cluster_bindings):
            await each.synced()

    def authorize(self, attributes: AccessAttributes) -> Decision:
        verb = attributes.verb
        if not attributes.is_resource:
            known = self._known(attributes.user, "")
            for grant in known.grants:
                if covers_path(grant.rule, verb, attributes.path):
                    return _allowed(grant)
            return _refused(known)
        wanted = (verb, attributes.group, attributes.resource, attributes.subresource, attributes.name)
        known = self._known(attributes.user, attributes.namespace)
        for grant in known.grants:
            if covers_resource(grant.rule, *wanted):
                return _allowed(grant)
        return _refused(known)

    def rules(self, user: User, namespace: str) -> Sequence[PolicyRule]:
        """Every rule that applies to `user` in `namespace` ('': cluster scope only)."""
        return [each.rule for each in self._known(user, namespace).grants]

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        resource: list[dict[str, Any]] = []
        non_resource: list[dict[str, Any]] = []
        known = self._known(user, namespace)
        for rule in (each.rule for each in known.grants):
            if rule.nonResourceURLs:
                non_resource.append({"verbs": list(rule.verbs), "nonResourceURLs": list(rule.nonResourceURLs)})
                continue
            document = {
                "verbs": list(rule.verbs),
                "apiGroups": list(rule.apiGroups),
                "resources": list(rule.resources),
            }
            if rule.resourceNames:
                document["resourceNames"] = list(rule.resourceNames)
            resource.append(document)
        return SubjectRules(tuple(resource), tuple(non_resource), bool(known.missing), _joined(known.missing))

    def role_rules(self, reference: RoleRef, namespace: str) -> Sequence[PolicyRule] | None:
        """The rules of the referenced role; None when it does not exist."""
        role = (
            self._cluster_roles.get(reference.name)
            if reference.kind == "ClusterRole"
            else self._roles.get(f"{namespace}/{reference.name}")
        )
        return role.rules if role else None

    def statistics(self) -> dict[str, int]:
        return {"generation": self._generation, "remembered": len(self._memo)}

    def _changed(self, old: object, new: object) -> None:
        self._generation += 1
        self._memo.clear()

    def _known(self, user: User, namespace: str) -> _Known:
        key = (user.name, user.groups, namespace)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = self._find(user, namespace)
        return found

    def _find(self, user: User, namespace: str) -> _Known:
        cluster_bindings: Iterable[ClusterRoleBinding | RoleBinding] = self._cluster_bindings.list()
        bindings: Iterable[ClusterRoleBinding | RoleBinding] = self._bindings.list(namespace) if namespace else ()
        grants: list[Grant] = []
        missing: list[str] = []
        for binding in (*cluster_bindings, *bindings):
            inside = binding.metadata.namespace
            subject = next((each for each in binding.subjects if _is(user, each, inside)), None)
            if subject is None:
                continue
            rules = self.role_rules(binding.roleRef, inside)
            if rules is None:
                role = binding.roleRef
                missing.append(f"{role.kind.lower()}.rbac.authorization.k8s.io {quoted(role.name)} not found")
            else:
                grants += (Grant(rule, binding, subject) for rule in rules)
        return _Known(tuple(grants), tuple(missing))


def _allowed(grant: Grant) -> Decision:
    return Decision(Verdict.ALLOW, f"RBAC: allowed by {grant}")


def _refused(known: _Known) -> Decision:
    return Decision(Verdict.NO_OPINION, f"RBAC: {_joined(known.missing)}") if known.missing else NO_OPINION


def _joined(errors: Sequence[str]) -> str:
    return f"[{', '.join(errors)}]" if len(errors) > 1 else "".join(errors)


def _is(user: User, subject: Subject, namespace: str) -> bool:
    """Whether a binding's subject (of a binding in `namespace`) is this user."""
    match subject.kind:
        case "User":
            return subject.name == user.name
        case "Group":
            return subject.name in user.groups
        case "ServiceAccount":
            return user.name == f"{_ACCOUNT_PREFIX}{subject.namespace or namespace}:{subject.name}"
        case _:
            return False
