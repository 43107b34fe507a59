"""The Node authorizer: a kubelet may read only what the pods on its node refer to.

Source: the Node authorization mode (KEP-279). Identity: user `system:node:<name>` in group `system:nodes`. References
are an index of the pod informer, so nothing is computed at decision time. What is not about secrets, configuration,
claims, tokens or leases follows the static rules of the role system:node.
"""

from __future__ import annotations

from collections.abc import Iterable

import msgspec

from proa.api.core_v1 import Container, EphemeralContainer, Pod
from proa.api.core_v1.resources import PODS
from proa.api.rbac_v1 import PolicyRule
from proa.apiserver.authz.default_cluster_roles import CLUSTER_ROLES
from proa.apiserver.identity import (
    ALLOW,
    NO_OPINION,
    AccessAttributes,
    DecidesFromMemory,
    Decision,
    SubjectRules,
    User,
    Verdict,
)
from proa.client.informer import Informers
from proa.rules.rbac import covers_resource

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
LEASE_NAMESPACE = "kube-node-lease"
_INDEX = "references by node"
_READ = frozenset({"get", "list", "watch"})
_GUARDED = {
    ("", "secrets"): "secret",
    ("", "configmaps"): "configmap",
    ("", "persistentvolumeclaims"): "claim",
}


def node_of(user: User) -> str:
    """The node a kubelet's user speaks for, '' for anybody else."""
    if NODES_GROUP not in user.groups or not user.name.startswith(NODE_PREFIX):
        return ""
    return user.name.removeprefix(NODE_PREFIX)


class NodeAuthorizer(DecidesFromMemory):
    def __init__(self, informers: Informers) -> None:
        self._pods = informers.informer(PODS)
        self._pods.add_index(_INDEX, _references)
        self._pods.on_change(self._changed)
        self._generation = 0
        (role,) = (each for each in CLUSTER_ROLES if each.name == "system:node")
        self._rules = tuple(
            rule
            for rule in (msgspec.convert(each, PolicyRule) for each in role.rules)
            if not any(("", each) in _GUARDED for each in rule.resources)
        )

    @property
    def generation(self) -> int:
        return self._generation

    async def synced(self) -> None:
        await self._pods.synced()

    def authorize(self, attributes: AccessAttributes) -> Decision:
        node = node_of(attributes.user)
        if not node or not attributes.is_resource:
            return NO_OPINION
        if attributes.resource == "leases" and attributes.group == "coordination.k8s.io":
            return self._lease(node, attributes)
        if attributes.resource == "serviceaccounts" and attributes.subresource == "token":
            return self._related(node, "account", attributes) if attributes.verb == "create" else NO_OPINION
        kind = _GUARDED.get((attributes.group, attributes.resource))
        if kind is not None and not attributes.subresource:
            if attributes.verb not in _READ:
                return Decision(Verdict.NO_OPINION, f"a node may only read {attributes.resource}")
            return self._related(node, kind, attributes)
        wanted = (
            attributes.verb,
            attributes.group,
            attributes.resource,
            attributes.subresource,
            attributes.name,
        )
        return ALLOW if any(covers_resource(each, *wanted) for each in self._rules) else NO_OPINION

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        if not node_of(user):
            return SubjectRules()
        return SubjectRules(incomplete=True, error="node authorizer does not support user rule resolution")

    def _related(self, node: str, kind: str, attributes: AccessAttributes) -> Decision:
        key = f"{node}/{kind}/{attributes.namespace}/{attributes.name}"
        if attributes.name and self._pods.by_index(_INDEX, key):
            return ALLOW
        return Decision(
            Verdict.NO_OPINION,
            f"no relationship found between node '{node}' and this object",
        )

    def _lease(self, node: str, attributes: AccessAttributes) -> Decision:
        if attributes.namespace != LEASE_NAMESPACE:
            return Decision(Verdict.NO_OPINION, f"a node may only use leases in the namespace {LEASE_NAMESPACE}")
        if attributes.verb == "create" or attributes.name == node:
            return ALLOW
        return Decision(Verdict.NO_OPINION, "a node may only use its own lease")

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        # Only a pod's arrival on a node and its end change what the node may read.
        if old is None or new is None or old.spec.nodeName != new.spec.nodeName:
            self._generation += 1


def _references(pod: Pod) -> Iterable[str]:
    """`<node>/<kind>/<namespace>/<name>` for everything the pod makes its node read."""
    node = pod.spec.nodeName
    if not node:
        return ()
    prefix, namespace = f"{node}/", pod.metadata.namespace
    found = {f"{prefix}account/{namespace}/{pod.spec.serviceAccountName or 'default'}"}

    def refer(kind: str, name: str) -> None:
        if name:
            found.add(f"{prefix}{kind}/{namespace}/{name}")

    for pull_secret in pod.spec.imagePullSecrets:
        refer("secret", pull_secret.name)
    containers: tuple[Container | EphemeralContainer, ...] = (
        *pod.spec.initContainers,
        *pod.spec.containers,
        *pod.spec.ephemeralContainers,
    )
    for container in containers:
        for source in container.envFrom:
            refer("secret", source.secretRef.name if source.secretRef else "")
            refer("configmap", source.configMapRef.name if source.configMapRef else "")
        for variable in container.env:
            value = variable.valueFrom
            if value is not None:
                refer("secret", value.secretKeyRef.name if value.secretKeyRef else "")
                refer("configmap", value.configMapKeyRef.name if value.configMapKeyRef else "")
    for volume in pod.spec.volumes:
        refer("secret", volume.secret.secretName if volume.secret else "")
        refer("configmap", volume.configMap.name if volume.configMap else "")
        refer("claim", volume.persistentVolumeClaim.claimName if volume.persistentVolumeClaim else "")
        if volume.ephemeral is not None:
            refer("claim", f"{pod.metadata.name}-{volume.name}")
        for projection in volume.projected.sources if volume.projected else ():
            refer("secret", projection.secret.name if projection.secret else "")
            refer("configmap", projection.configMap.name if projection.configMap else "")
    return found
