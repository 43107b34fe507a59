"""The Node authorizer: a kubelet may read only what the pods on its node refer to, and write only what is its own.

Source: the Node authorization mode (KEP-279, KEP-4601). Identity: user `system:node:<name>` in group `system:nodes`.
References are an index of the pod informer, so nothing is computed at decision time; only for volumes, attachments and
slices, which no pod names, is the object itself looked at. What is not subdivided here follows the static rules of the
role system:node; what a write may say is checked by the admission plugin NodeRestriction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

import msgspec

from proa.api.core_v1 import Container, EphemeralContainer, Pod
from proa.api.core_v1.resources import PERSISTENT_VOLUMES, PODS
from proa.api.rbac_v1 import PolicyRule
from proa.api.resource_v1.resources import RESOURCE_SLICES
from proa.api.storage_v1.resources import VOLUME_ATTACHMENTS
from proa.apiserver.authz.default_cluster_roles import CLUSTER_ROLES
from proa.apiserver.identity import ALLOW, NO_OPINION, UNKNOWN, AccessAttributes, Decision, SubjectRules, User, Verdict
from proa.client.informer import Informers
from proa.client.protocol import Client
from proa.machinery.field_selectors import parse_fields
from proa.machinery.resource import Resource
from proa.machinery.selectors import SelectorError
from proa.machinery.status import StatusError, is_not_found
from proa.rules.rbac import covers_resource

NODES_GROUP = "system:nodes"
NODE_PREFIX = "system:node:"
LEASE_NAMESPACE = "kube-node-lease"
_INDEX = "references by node"
_MIRROR = "kubernetes.io/config.mirror"
_READ = frozenset({"get", "list", "watch"})
_OWN_OBJECT = frozenset({"get", "create", "update", "patch", "delete"})


def node_of(user: User) -> str:
    """The node a kubelet's user speaks for, '' for anybody else."""
    if NODES_GROUP not in user.groups or not user.name.startswith(NODE_PREFIX):
        return ""
    return user.name.removeprefix(NODE_PREFIX)


class NodeAuthorizer:
    """`client` reads what no pod names: volumes, attachments, slices."""

    def __init__(self, informers: Informers, client: Client) -> None:
        self._client = client
        self._pods = informers.informer(PODS)
        self._pods.add_index(_INDEX, _references)
        self._pods.on_change(self._changed)
        self._generation = 0
        (role,) = (each for each in CLUSTER_ROLES if each.name == "system:node")
        self._rules = tuple(msgspec.convert(each, PolicyRule) for each in role.rules)
        self._subdivided: Mapping[tuple[str, str], Callable[[str, AccessAttributes], Decision]] = {
            ("", "secrets"): lambda node, asked: self._read("secret", node, asked),
            ("", "configmaps"): lambda node, asked: self._read("configmap", node, asked),
            ("", "persistentvolumeclaims"): self._claim,
            ("", "persistentvolumes"): self._looked_at,
            ("", "serviceaccounts"): self._account,
            ("", "nodes"): self._node,
            ("", "pods"): self._pod,
            ("coordination.k8s.io", "leases"): self._lease,
            ("resource.k8s.io", "resourceclaims"): lambda node, asked: self._get("deviceclaim", node, asked),
            ("resource.k8s.io", "resourceslices"): self._slice,
            ("storage.k8s.io", "csinodes"): self._csi_node,
            ("storage.k8s.io", "volumeattachments"): self._looked_at,
        }

    @property
    def generation(self) -> int:
        return self._generation

    async def synced(self) -> None:
        await self._pods.synced()

    def authorize(self, attributes: AccessAttributes) -> Decision:
        node = node_of(attributes.user)
        if not node or not attributes.is_resource:
            return NO_OPINION
        decide = self._subdivided.get((attributes.group, attributes.resource))
        return decide(node, attributes) if decide is not None else self._by_rules(attributes)

    async def decide(self, attributes: AccessAttributes) -> Decision:
        decision = self.authorize(attributes)
        if decision.verdict is not Verdict.UNKNOWN:
            return decision
        node, (resource, belongs) = node_of(attributes.user), _LOOKED_AT[attributes.resource]
        try:
            found = await self._client.get(resource, attributes.name)
        except StatusError as error:
            if not is_not_found(error):
                raise
            found = None
        related = found is not None and belongs(self, found, node)
        return Decision(Verdict.ALLOW, lasting=False) if related else _unrelated(node, lasting=False)

    def rules_for(self, user: User, namespace: str) -> SubjectRules:
        if not node_of(user):
            return SubjectRules()
        return SubjectRules(incomplete=True, error="node authorizer does not support user rule resolution")

    def _by_rules(self, asked: AccessAttributes) -> Decision:
        wanted = (asked.verb, asked.group, asked.resource, asked.subresource, asked.name)
        return ALLOW if any(covers_resource(each, *wanted) for each in self._rules) else NO_OPINION

    # -- what pods refer to

    def is_related(self, node: str, kind: str, namespace: str, name: str) -> bool:
        """Whether a pod on the node refers to such an object."""
        return bool(self._pods.by_index(_INDEX, f"{node}/{kind}/{namespace}/{name}"))

    def _related(self, kind: str, node: str, asked: AccessAttributes) -> Decision:
        if not asked.name:
            return _no("No Object name found")
        return ALLOW if self.is_related(node, kind, asked.namespace, asked.name) else _unrelated(node)

    def _read(self, kind: str, node: str, asked: AccessAttributes) -> Decision:
        if asked.verb not in _READ:
            return _no("can only read resources of this type")
        if asked.subresource:
            return _no("cannot read subresource")
        if not asked.namespace:
            return _no("can only read namespaced object of this type")
        return self._related(kind, node, asked)

    def _get(self, kind: str, node: str, asked: AccessAttributes) -> Decision:
        return _only_get(asked) or self._related(kind, node, asked)

    def _claim(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.subresource != "status":
            return self._get("claim", node, asked)
        if asked.verb not in ("update", "patch"):
            return _no("can only get/update/patch this type")
        return self._related("claim", node, asked)

    def _account(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.verb == "get" and not asked.subresource:
            return self._read("account", node, asked)
        if asked.verb != "create" or not asked.name:
            return _no("can only create tokens for individual service accounts")
        if asked.subresource != "token":
            return _no("can only create token subresource of serviceaccount")
        return self._related("account", node, asked)

    def _pod(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.subresource:
            return self._by_rules(asked)
        if asked.verb == "get":
            return self._get("pod", node, asked)
        if asked.verb in _READ:
            if _selects(asked, "spec.nodeName", node):
                return ALLOW
            if asked.name:
                return self._related("pod", node, asked)
            return _no("can only list/watch pods with spec.nodeName field selector")
        return self._by_rules(asked)

    # -- what is the node's own

    def _node(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.subresource or asked.verb not in _READ:
            return self._by_rules(asked)
        if asked.name == node:
            return ALLOW
        what = f"'{asked.name}'" if asked.name else "all nodes"
        return _no(f"node '{node}' cannot read {what}, only its own Node object")

    def _lease(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.verb not in _OWN_OBJECT:
            return _no("can only get, create, update, patch, or delete a node lease")
        if asked.namespace != LEASE_NAMESPACE:
            return _no(f'can only access leases in the "{LEASE_NAMESPACE}" system namespace')
        if asked.verb != "create" and asked.name != node:
            return _no("can only access node lease with the same name as the requesting node")
        return ALLOW

    def _csi_node(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.verb not in _OWN_OBJECT:
            return _no("can only get, create, update, patch, or delete a CSINode")
        if asked.subresource:
            return _no("cannot authorize CSINode subresources")
        if asked.verb != "create" and asked.name != node:
            return _no("can only access CSINode with the same name as the requesting node")
        return ALLOW

    def _slice(self, node: str, asked: AccessAttributes) -> Decision:
        if asked.subresource:
            return _no("cannot authorize ResourceSlice subresources")
        if asked.verb == "create":
            return ALLOW
        if asked.verb in ("list", "watch", "deletecollection"):
            if _selects(asked, "spec.nodeName", node):
                return ALLOW
            return _no("can only list/watch/deletecollection resourceslices with nodeName field selector")
        if asked.verb not in _OWN_OBJECT:
            return _no(
                "only the following verbs are allowed for a ResourceSlice: "
                "get, watch, list, create, update, patch, delete, deletecollection"
            )
        return UNKNOWN if asked.name else _no("No Object name found")

    def _looked_at(self, node: str, asked: AccessAttributes) -> Decision:
        return _only_get(asked) or (UNKNOWN if asked.name else _no("No Object name found"))

    def _changed(self, old: Pod | None, new: Pod | None) -> None:
        # Only a pod's arrival on a node and its end change what the node may read.
        if old is None or new is None or old.spec.nodeName != new.spec.nodeName:
            self._generation += 1


def _volume_of_pod(authorizer: NodeAuthorizer, volume: Any, node: str) -> bool:
    claim = volume.spec.claimRef
    return claim is not None and authorizer.is_related(node, "claim", claim.namespace, claim.name)


_LOOKED_AT: Mapping[str, tuple[Resource[Any], Callable[[NodeAuthorizer, Any, str], bool]]] = {
    "persistentvolumes": (PERSISTENT_VOLUMES, _volume_of_pod),
    "volumeattachments": (VOLUME_ATTACHMENTS, lambda _, attachment, node: attachment.spec.nodeName == node),
    "resourceslices": (RESOURCE_SLICES, lambda _, piece, node: piece.spec.nodeName == node),
}


def _no(reason: str) -> Decision:
    return Decision(Verdict.NO_OPINION, reason)


def _unrelated(node: str, *, lasting: bool = True) -> Decision:
    reason = f"no relationship found between node '{node}' and this object"
    return Decision(Verdict.NO_OPINION, reason, lasting)


def _only_get(asked: AccessAttributes) -> Decision | None:
    if asked.verb != "get":
        return _no("can only get individual resources of this type")
    return _no("cannot get subresource") if asked.subresource else None


def _selects(asked: AccessAttributes, field: str, value: str) -> bool:
    try:
        return bool(asked.field_selector) and parse_fields(asked.field_selector).exact(field) == value
    except SelectorError:
        return False


def _references(pod: Pod) -> Iterable[str]:
    """`<node>/<kind>/<namespace>/<name>` for everything the pod makes its node read."""
    node = pod.spec.nodeName
    if not node:
        return ()
    prefix, namespace = f"{node}/", pod.metadata.namespace
    found = {f"{prefix}pod/{namespace}/{pod.metadata.name}"}
    if _MIRROR in pod.metadata.annotations:
        return found  # a node writes these itself, and could name anything in them
    found.add(f"{prefix}account/{namespace}/{pod.spec.serviceAccountName or 'default'}")

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
    for claim in pod.status.resourceClaimStatuses:
        refer("deviceclaim", claim.resourceClaimName or "")
    for wanted in pod.spec.resourceClaims:
        refer("deviceclaim", wanted.resourceClaimName or "")
    return found
