"""Which flow schema a request belongs to: the first by precedence whose rules say so. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from proa.api.flowcontrol_v1 import FlowSchema, NonResourcePolicyRule, ResourcePolicyRule, Subject
from proa.apiserver.identity import User
from proa.apiserver.requestinfo import RequestInfo

_ACCOUNT = "system:serviceaccount:"


def in_order(schemas: Iterable[FlowSchema]) -> list[FlowSchema]:
    """As they are asked: by precedence, then by name."""
    return sorted(schemas, key=lambda each: (each.spec.matchingPrecedence, each.metadata.name))


def matches(schema: FlowSchema, user: User, info: RequestInfo) -> bool:
    """Whether one of its rules is about this user and request."""
    for rule in schema.spec.rules:
        if not any(_is(each, user) for each in rule.subjects):
            continue
        if info.is_resource:
            if any(_covers(each, info) for each in rule.resourceRules):
                return True
        elif any(_covers_path(each, info) for each in rule.nonResourceRules):
            return True
    return False


def distinguisher(schema: FlowSchema, user: User, info: RequestInfo) -> str:
    """What tells the flows of a schema apart."""
    method = schema.spec.distinguisherMethod
    if method is None:
        return ""
    return user.name if method.type == "ByUser" else info.namespace


def _is(subject: Subject, user: User) -> bool:
    if subject.kind == "User" and subject.user is not None:
        return subject.user.name in ("*", user.name)
    if subject.kind == "Group" and subject.group is not None:
        return subject.group.name == "*" or subject.group.name in user.groups
    if subject.kind == "ServiceAccount" and subject.serviceAccount is not None:
        namespace, name = subject.serviceAccount.namespace, subject.serviceAccount.name
        if name == "*":
            return user.name.startswith(f"{_ACCOUNT}{namespace}:")
        return user.name == f"{_ACCOUNT}{namespace}:{name}"
    return False


def _covers(rule: ResourcePolicyRule, info: RequestInfo) -> bool:
    resource = f"{info.resource}/{info.subresource}" if info.subresource else info.resource
    if not (_has(rule.verbs, info.verb) and _has(rule.apiGroups, info.group) and _has(rule.resources, resource)):
        return False
    return _has(rule.namespaces, info.namespace) if info.namespace else rule.clusterScope


def _covers_path(rule: NonResourcePolicyRule, info: RequestInfo) -> bool:
    return _has(rule.verbs, info.verb) and any(_covers_url(each, info.path) for each in rule.nonResourceURLs)


def _covers_url(pattern: str, path: str) -> bool:
    """A path covers what is below it, too."""
    return pattern in ("*", path) or path.startswith(f"{pattern.rstrip('*').rstrip('/')}/")


def _has(values: Sequence[str], value: str) -> bool:
    return "*" in values or value in values
