"""A compact notation for default roles, and what it expands to (rbac.authorization.k8s.io/v1 documents)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

API_GROUP = "rbac.authorization.k8s.io"
BOOTSTRAP_LABEL = "kubernetes.io/bootstrapping"
AUTOUPDATE = "rbac.authorization.kubernetes.io/autoupdate"
CONTROLLER_PREFIX = "system:controller:"

Document = dict[str, Any]


class DefaultRole(msgspec.Struct, frozen=True):
    """A ClusterRole, or with `namespace` a Role. `aggregate_to` and `aggregates` are the aggregation label's suffix."""

    name: str
    rules: tuple[Document, ...] = ()
    namespace: str = ""
    aggregate_to: str = ""
    aggregates: str = ""


class DefaultBinding(msgspec.Struct, frozen=True):
    name: str
    role: str
    subjects: tuple[Document, ...]
    namespace: str = ""
    role_kind: str = "ClusterRole"


def rule(verbs: str, groups: str, resources: str, *, names: str = "") -> Document:
    """A PolicyRule from space separated words; the group `core` is the legacy one."""
    made: Document = {
        "verbs": verbs.split(),
        "apiGroups": ["" if each == "core" else each for each in groups.split()],
        "resources": resources.split(),
    }
    if names:
        made["resourceNames"] = names.split()
    return made


def urls(verbs: str, paths: str) -> Document:
    return {"verbs": verbs.split(), "nonResourceURLs": paths.split()}


def user(name: str) -> Document:
    return {"kind": "User", "apiGroup": API_GROUP, "name": name}


def group(name: str) -> Document:
    return {"kind": "Group", "apiGroup": API_GROUP, "name": name}


def account(name: str, namespace: str) -> Document:
    return {"kind": "ServiceAccount", "name": name, "namespace": namespace}


def role_documents(roles: Iterable[DefaultRole]) -> Iterable[Document]:
    """ClusterRole and Role documents; an aggregating role already holds the rules of those it gathers."""
    roles = tuple(roles)
    for role in roles:
        metadata = _metadata(role.name, role.namespace)
        document: Document = {
            "apiVersion": f"{API_GROUP}/v1",
            "kind": "Role" if role.namespace else "ClusterRole",
            "metadata": metadata,
            "rules": list(role.rules),
        }
        if role.aggregate_to:
            metadata["labels"][f"{API_GROUP}/aggregate-to-{role.aggregate_to}"] = "true"
        if role.aggregates:
            label = f"{API_GROUP}/aggregate-to-{role.aggregates}"
            document["aggregationRule"] = {"clusterRoleSelectors": [{"matchLabels": {label: "true"}}]}
            document["rules"] = _gathered(role, roles)
        yield document


def _gathered(role: DefaultRole, roles: tuple[DefaultRole, ...]) -> list[Document]:
    """As the controller would gather them, so that it finds nothing to do."""
    found: list[Document] = []
    for each in sorted(roles, key=lambda each: each.name):
        if each.aggregate_to == role.aggregates:
            rules = _gathered(each, roles) if each.aggregates else each.rules
            found += (rule for rule in rules if rule not in found)
    return found


def binding_document(binding: DefaultBinding) -> Document:
    return {
        "apiVersion": f"{API_GROUP}/v1",
        "kind": "RoleBinding" if binding.namespace else "ClusterRoleBinding",
        "metadata": _metadata(binding.name, binding.namespace),
        "roleRef": {"apiGroup": API_GROUP, "kind": binding.role_kind, "name": binding.role},
        "subjects": [dict(each) for each in binding.subjects],
    }


def _metadata(name: str, namespace: str) -> Document:
    metadata: Document = {
        "name": name,
        "labels": {BOOTSTRAP_LABEL: "rbac-defaults"},
        "annotations": {AUTOUPDATE: "true"},
    }
    if namespace:
        metadata["namespace"] = namespace
    return metadata


def controller_binding(role: DefaultRole) -> DefaultBinding:
    """A controller's role belongs to the service account named after it in kube-system."""
    name = role.name.removeprefix(CONTROLLER_PREFIX)
    return DefaultBinding(role.name, role.name, (account(name, "kube-system"),))


def is_managed(document: Mapping[str, Any]) -> bool:
    """Whether start-up may bring the object back to its default (the autoupdate annotation is not 'false')."""
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    return bool(annotations.get(AUTOUPDATE) != "false")
