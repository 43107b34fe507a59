"""The RBAC authorizer: roles and bindings to decisions (rbac.authorization.k8s.io/v1).

It keeps no copy of its own beyond a memo: for each user and namespace the rules that apply, forgotten whenever a role
or binding changes. Not here: matching one rule (`proa.rules.rbac`), the default policy (`default_cluster_roles`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from proa.api.rbac_v1 import ClusterRoleBinding, PolicyRule, RoleBinding, RoleRef, Subject
from proa.api.rbac_v1.resources import CLUSTER_ROLE_BINDINGS, CLUSTER_ROLES, ROLE_BINDINGS, ROLES
from proa.apiserver.identity import ALLOW, NO_OPINION, AccessAttributes, Decision, SubjectRules, User
from proa.client.informer import Informers
from proa.rules.rbac import covers_path, covers_resource

_ACCOUNT_PREFIX = "system:serviceaccount:"


class RbacAuthorizer:
    """Allows what some bound rule covers; has no opinion on the rest (RBAC never denies)."""

    def __init__(self, informers: Informers) -> None:
        self._roles = informers.informer(ROLES)
        self._cluster_roles = informers.informer(CLUSTER_ROLES)
        self._bindings = informers.informer(ROLE_BINDINGS)
        self._cluster_bindings = informers.informer(CLUSTER_ROLE_BINDINGS)
        self._generation = 0
        self._memo: dict[tuple[str, tuple[str, ...], str], tuple[PolicyRule, ...]] = {}
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
            rules = self.rules(attributes.user, "")
            return ALLOW if any(covers_path(each, verb, attributes.path) for each in rules) else NO_OPINION
        wanted = (verb, attributes.group, attributes.resource, attributes.subresource, attributes.name)
        rules = self.rules(attributes.user, attributes.namespace)
        return ALLOW if any(covers_resource(each, *wanted) for each in rules) else NO_OPINION

    def rules(self, user: User, namespace: str) -> tuple[PolicyRule, ...]:
        """Every rule that applies to `user` in `namespace` ('': cluster scope only)."""
        key = (user.name, user.groups, namespace)
        found = self._memo.get(key)
        if found is None:
            found = self._memo[key] = tuple(self._bound_rules(user, namespace))
        return found

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        resource: list[dict[str, Any]] = []
        non_resource: list[dict[str, Any]] = []
        for rule in self.rules(user, namespace):
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
        return SubjectRules(tuple(resource), tuple(non_resource))

    def statistics(self) -> dict[str, int]:
        return {"generation": self._generation, "remembered": len(self._memo)}

    def _changed(self, old: object, new: object) -> None:
        self._generation += 1
        self._memo.clear()

    def _bound_rules(self, user: User, namespace: str) -> Iterable[PolicyRule]:
        cluster_bindings: Sequence[ClusterRoleBinding | RoleBinding] = self._cluster_bindings.list()
        bindings: Sequence[ClusterRoleBinding | RoleBinding] = self._bindings.list(namespace) if namespace else ()
        for binding in (*cluster_bindings, *bindings):
            if any(_is(user, subject, binding.metadata.namespace) for subject in binding.subjects):
                yield from self.role_rules(binding.roleRef, binding.metadata.namespace)

    def role_rules(self, reference: RoleRef, namespace: str) -> Sequence[PolicyRule]:
        """The rules of the referenced role; none when it does not exist."""
        if reference.kind == "ClusterRole":
            cluster_role = self._cluster_roles.get(reference.name)
            return cluster_role.rules if cluster_role else ()
        role = self._roles.get(f"{namespace}/{reference.name}")
        return role.rules if role else ()


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
