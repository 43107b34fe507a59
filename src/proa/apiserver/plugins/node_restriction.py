"""NodeRestriction: a kubelet writes only its own node, and only pods that are bound to it.

Source: the NodeRestriction admission plugin. The Node authorizer has let the verb and the object kind through; here
it is checked which object.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.authz.node import node_of
from proa.apiserver.plugins.context import Stateless
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, forbidden

RESTRICTED_PREFIX = "node-restriction.kubernetes.io/"
_MIRROR = "kubernetes.io/config.mirror"
_HANDLED = {
    "nodes": ("", "status"),
    "pods": ("", "status", "eviction"),
    "serviceaccounts": ("token",),
    "leases.coordination.k8s.io": ("",),
}


class NodeRestriction(Stateless):
    name = "NodeRestriction"

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation != "CONNECT" and subresource in _HANDLED.get(resource.qualified, ())

    async def validate(self, attributes: Attributes) -> None:
        node = node_of(attributes.user)
        if not node:
            return
        match attributes.resource.plural:
            case "nodes":
                self._node(attributes, node)
            case "pods":
                self._pod(attributes, node)
            case "leases":
                if (attributes.name or _name(attributes.document)) != node:
                    raise self._refused(
                        attributes, "can only access node lease with the same name as the requesting node"
                    )
            case _:
                reference = ((attributes.document or {}).get("spec") or {}).get("boundObjectRef") or {}
                if reference.get("kind") != "Pod":
                    raise self._refused(attributes, "node requested token not bound to a pod")

    def _node(self, attributes: Attributes, node: str) -> None:
        name = attributes.name or _name(attributes.document)
        if name != node:
            raise self._refused(attributes, f"node {node!r} is not allowed to modify node {name!r}")
        if attributes.document is not None:
            self._labels(attributes)
        if attributes.operation == "UPDATE" and not attributes.subresource and _taints(attributes) is not None:
            raise self._refused(attributes, f"node {node!r} is not allowed to modify taints")

    def _labels(self, attributes: Attributes) -> None:
        before, after = _labels(attributes.old), _labels(attributes.document)
        restricted = (each for each in {*before, *after} if each.startswith(RESTRICTED_PREFIX))
        changed = sorted(each for each in restricted if before.get(each) != after.get(each))
        if changed:
            raise self._refused(attributes, f"is not allowed to set the following labels: {', '.join(changed)}")

    def _pod(self, attributes: Attributes, node: str) -> None:
        if attributes.operation == "CREATE" and not attributes.subresource:
            annotations = ((attributes.document or {}).get("metadata") or {}).get("annotations") or {}
            if _MIRROR not in annotations:
                why = f'pod does not have "{_MIRROR}" annotation, node {node!r} can only create mirror pods'
                raise self._refused(attributes, why)
        bound = ((attributes.old or attributes.document or {}).get("spec") or {}).get("nodeName")
        if bound is not None and bound != node:
            why = f"node {node!r} can only change pods with spec.nodeName set to itself"
            raise self._refused(attributes, why)

    def _refused(self, attributes: Attributes, why: str) -> StatusError:
        return forbidden(attributes.resource, attributes.name, why)


def _name(document: Mapping[str, Any] | None) -> str:
    return str(((document or {}).get("metadata") or {}).get("name") or "")


def _labels(document: Mapping[str, Any] | None) -> Mapping[str, str]:
    return ((document or {}).get("metadata") or {}).get("labels") or {}


def _taints(attributes: Attributes) -> object | None:
    """The new taints where an update changes them."""
    new = ((attributes.document or {}).get("spec") or {}).get("taints") or []
    old = ((attributes.old or {}).get("spec") or {}).get("taints") or []
    return None if new == old else new
