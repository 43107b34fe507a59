"""When an RBAC rule covers a request, and when rules cover other rules (escalation). Pure matching of PolicyRules.

Source: rbac.authorization.k8s.io/v1 PolicyRule. Not here: who is bound to which rule (`proa.apiserver.authz`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proa.api.rbac_v1 import PolicyRule

ALL = "*"


def covers_resource(
    rule: PolicyRule, verb: str, group: str, resource: str, subresource: str = "", name: str = ""
) -> bool:
    """Whether `rule` allows `verb` on `group`/`resource`[/`subresource`], on the object `name` if one is named."""
    return (
        _has(rule.verbs, verb)
        and _has(rule.apiGroups, group)
        and _has_resource(rule.resources, resource, subresource)
        and (not rule.resourceNames or name in rule.resourceNames)
    )


def covers_path(rule: PolicyRule, verb: str, path: str) -> bool:
    """Whether `rule` allows `verb` on a non-resource path; a pattern may end in `*`."""
    return _has(rule.verbs, verb) and any(
        each in (ALL, path) or (each.endswith(ALL) and path.startswith(each[:-1])) for each in rule.nonResourceURLs
    )


def uncovered(owned: Iterable[PolicyRule], wanted: Iterable[PolicyRule]) -> Sequence[PolicyRule]:
    """The single permissions of `wanted` that `owned` does not give: what makes a grant an escalation."""
    owned = tuple(owned)
    return [each for rule in wanted for each in _permissions(rule) if not any(_includes(one, each) for one in owned)]


def _has(values: Sequence[str], value: str) -> bool:
    return value in values or ALL in values


def _has_resource(resources: Sequence[str], resource: str, subresource: str) -> bool:
    if ALL in resources:
        return True
    if subresource:
        return f"{resource}/{subresource}" in resources or f"{ALL}/{subresource}" in resources
    return resource in resources


def _permissions(rule: PolicyRule) -> Iterable[PolicyRule]:
    """`rule` taken apart: one verb on one resource (or path, or named object) each."""
    for verb in rule.verbs:
        for path in rule.nonResourceURLs:
            yield PolicyRule(verbs=(verb,), nonResourceURLs=(path,))
        for group in rule.apiGroups:
            for resource in rule.resources:
                for name in rule.resourceNames or ("",):
                    yield PolicyRule(
                        verbs=(verb,), apiGroups=(group,), resources=(resource,), resourceNames=(name,) if name else ()
                    )


def _includes(owner: PolicyRule, permission: PolicyRule) -> bool:
    (verb,) = permission.verbs
    if permission.nonResourceURLs:
        return covers_path(owner, verb, permission.nonResourceURLs[0])
    resource, _, subresource = permission.resources[0].partition("/")
    name = permission.resourceNames[0] if permission.resourceNames else ""
    return covers_resource(owner, verb, permission.apiGroups[0], resource, subresource, name)
