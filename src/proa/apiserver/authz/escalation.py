"""Nobody grants what they do not have: the check around roles and bindings (rbac.authorization.k8s.io).

Whoever writes a role must hold every permission in it, or the verb `escalate` on roles; whoever writes a binding must
hold every permission of the role, or the verb `bind` on it. Part of the API, so it is no plugin that can be turned off,
though it has the form of one. Not here: whether rules cover rules (`proa.rules.rbac`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec

from proa.api.rbac_v1 import PolicyRule, RoleRef
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.authz.rbac import RbacAuthorizer
from proa.apiserver.identity import MASTERS, AccessAttributes, Authorizer, User
from proa.machinery import status as failures
from proa.machinery.fields import quoted
from proa.machinery.resource import Resource
from proa.rules.rbac import uncovered

GROUP = "rbac.authorization.k8s.io"
_EVERYTHING = (
    PolicyRule(verbs=("*",), apiGroups=("*",), resources=("*",)),
    PolicyRule(verbs=("*",), nonResourceURLs=("*",)),
)
_COLLECTED = ("ownerReferences", "finalizers")


class EscalationCheck:
    """rbac: who holds what. authorizer: who may escalate and bind."""

    name = "RBACEscalation"

    def __init__(self, rbac: RbacAuthorizer, authorizer: Authorizer) -> None:
        self._rbac = rbac
        self._authorizer = authorizer

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return resource.group == GROUP and not subresource and operation in ("CREATE", "UPDATE")

    async def validate(self, attributes: Attributes) -> None:
        user, document, old = attributes.user, attributes.document, attributes.old
        assert document is not None
        if MASTERS in user.groups or (old is not None and _is_collection(document, old)):
            return
        if "roleRef" in document:
            await self._check_binding(attributes, document)
        else:
            await self._check_role(attributes, document, old)

    async def _check_role(
        self, attributes: Attributes, document: Mapping[str, Any], old: Mapping[str, Any] | None
    ) -> None:
        plural, name = attributes.resource.plural, document["metadata"].get("name", "")
        named = attributes.name if attributes.operation == "UPDATE" else ""
        if await self._may(attributes.user, "escalate", plural, attributes.namespace, named):
            return
        rules = [msgspec.convert(each, PolicyRule) for each in document.get("rules") or ()]
        self._check(attributes, name, rules, attributes.namespace)
        if _aggregates(document) or _aggregates(old):
            why = "must have cluster-admin privileges to use the aggregationRule"
            self._check(attributes, name, _EVERYTHING, "", why)

    async def _check_binding(self, attributes: Attributes, document: Mapping[str, Any]) -> None:
        role = msgspec.convert(document["roleRef"], RoleRef)
        namespace = attributes.namespace
        plural = "clusterroles" if role.kind == "ClusterRole" else "roles"
        if await self._may(attributes.user, "bind", plural, namespace, role.name):
            return
        rules = self._rbac.role_rules(role, namespace)
        if rules is None:
            raise failures.not_found(failures.GroupPlural(GROUP, plural), role.name)
        self._check(attributes, document["metadata"].get("name", ""), rules, namespace)

    async def _may(self, user: User, verb: str, plural: str, namespace: str, name: str) -> bool:
        asked = AccessAttributes(user, verb, GROUP, "v1", plural, namespace=namespace, name=name)
        return (await self._authorizer.decide(asked)).allowed

    def _check(
        self, attributes: Attributes, name: str, rules: Sequence[PolicyRule], namespace: str, why: str = ""
    ) -> None:
        user = attributes.user
        missing = uncovered(self._rbac.rules(user, namespace), rules)
        if not missing:
            return
        groups = "[" + " ".join(quoted(each) for each in user.groups) + "]"
        lines = "\n".join(sorted({_shown(each) for each in _compact(missing)}))
        raise failures.forbidden(
            attributes.resource,
            name,
            why
            or f"user {quoted(user.name)} (groups={groups}) is attempting to grant RBAC permissions not currently held:"
            f"\n{lines}",
        )


def _aggregates(document: Mapping[str, Any] | None) -> bool:
    rule = (document or {}).get("aggregationRule") or {}
    return bool(rule.get("clusterRoleSelectors"))


def _is_collection(document: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether an update only touches what the garbage collector must be able to."""

    def rest(of: Mapping[str, Any]) -> dict[str, Any]:
        meta = of.get("metadata") or {}
        left_out = (*_COLLECTED, "managedFields", "resourceVersion")
        return {**of, "metadata": {name: value for name, value in meta.items() if name not in left_out}}

    def collected(of: Mapping[str, Any]) -> list[Any]:
        return [(of.get("metadata") or {}).get(name) for name in _COLLECTED]

    return collected(document) != collected(old) and rest(document) == rest(old)


def _compact(rules: Iterable[PolicyRule]) -> list[PolicyRule]:
    """Rules about one resource, or one object of it, that differ by verb only, as one; paths as they are."""
    found: list[PolicyRule] = []
    verbs: dict[tuple[tuple[str, ...], ...], list[str]] = {}
    for rule in rules:
        if rule.nonResourceURLs:
            found.append(rule)
        else:
            verbs.setdefault((rule.apiGroups, rule.resources, rule.resourceNames), []).extend(rule.verbs)
    found += (
        PolicyRule(verbs=tuple(several), apiGroups=groups, resources=resources, resourceNames=names)
        for (groups, resources, names), several in verbs.items()
    )
    return found


def _shown(rule: PolicyRule) -> str:
    parts = (
        ("APIGroups", rule.apiGroups),
        ("Resources", rule.resources),
        ("NonResourceURLs", rule.nonResourceURLs),
        ("ResourceNames", rule.resourceNames),
        ("Verbs", rule.verbs),
    )
    return "{" + ", ".join(f"{name}:[{' '.join(map(quoted, values))}]" for name, values in parts if values) + "}"
