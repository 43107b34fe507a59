"""NodeRestriction: a kubelet writes only what belongs to its node, and of that only what a kubelet has to say.

The Node authorizer has let the verb and the object through; here it is looked at what is written. One method for each
resource; of a resource or subresource that is not in `_RULES` the authorizer alone decides.
"""

from __future__ import annotations

from base64 import b64decode
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PERSISTENT_VOLUMES, PODS
from proa.api.storage_v1.resources import CSI_DRIVERS
from proa.apiserver.admission import Attributes, Operation
from proa.apiserver.authz.node import NODE_PREFIX, node_of
from proa.apiserver.identity import AccessAttributes
from proa.apiserver.plugins.context import PluginContext
from proa.machinery.columns import dig
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.rules.node_labels import forbidden_labels
from proa.rules.references import api_reference

LEASES_NAMESPACE = "kube-node-lease"
_MIRROR = "kubernetes.io/config.mirror"
_SIGNERS = frozenset({"kubernetes.io/kubelet-serving", "kubernetes.io/kube-apiserver-client-kubelet"})
# What a kubelet may write of a claim's status.
_CLAIM_STATUS = frozenset({"capacity", "conditions", "allocatedResources", "allocatedResourceStatuses"})
_FORGOTTEN = frozenset({"resourceVersion", "managedFields"})

Rule = Callable[["NodeRestriction", Attributes, str], Awaitable[None]]


class NodeRestriction:
    name = "NodeRestriction"

    def __init__(self, context: PluginContext) -> None:
        self._client = context.client
        self._authorizer = context.authorizer
        self._pods = context.informers.informer(PODS)

    def handles(self, resource: Resource[Any], subresource: str, operation: Operation) -> bool:
        return operation != "CONNECT" and (resource.qualified, subresource) in _RULES

    async def validate(self, attributes: Attributes) -> None:
        node = node_of(attributes.user)
        if node:
            await _RULES[attributes.resource.qualified, attributes.subresource](self, attributes, node)

    async def _node(self, attributes: Attributes, node: str) -> None:
        name = attributes.name or _name(attributes.document)
        if name != node:
            raise attributes.forbidden(f'node "{node}" is not allowed to modify node "{name}"')
        document, old = attributes.document, attributes.old
        if document is None:
            return
        labels = forbidden_labels(_labels(document), _labels(old))
        if labels:
            set_ = f'node "{node}" is not allowed to set the following labels'
            what = set_ if old is None else "is not allowed to modify labels"
            raise attributes.forbidden(f"{what}: {', '.join(labels)}")
        source = dig(document, "spec", "configSource")
        if source is not None and source != dig(old, "spec", "configSource"):
            what = "update configSource to a new non-nil" if old is not None else "create pods with a non-nil"
            raise attributes.forbidden(f'node "{node}" is not allowed to {what} configSource')
        if old is None:
            return
        for field, what in ((("spec", "taints"), "taints"), (("metadata", "ownerReferences"), "ownerReferences")):
            if (dig(document, *field) or []) != (dig(old, *field) or []):
                raise attributes.forbidden(f'node "{node}" is not allowed to modify {what}')

    async def _pod(self, attributes: Attributes, node: str) -> None:
        if attributes.operation == "CREATE":
            await self._mirror_pod(attributes, node)
        elif attributes.operation == "DELETE":
            if dig(attributes.old, "spec", "nodeName") != node:
                raise attributes.forbidden(f'node "{node}" can only delete pods with spec.nodeName set to itself')
        else:
            why = f'unexpected operation "{attributes.operation}", node "{node}" can only create and delete mirror pods'
            raise attributes.forbidden(why)

    async def _mirror_pod(self, attributes: Attributes, node: str) -> None:
        document = attributes.document or {}
        if _MIRROR not in (dig(document, "metadata", "annotations") or {}):
            why = f'pod does not have "{_MIRROR}" annotation, node "{node}" can only create mirror pods'
            raise attributes.forbidden(why)
        can_only = f'node "{node}" can only create pods with'
        if dig(document, "spec", "nodeName") != node:
            raise attributes.forbidden(f"{can_only} spec.nodeName set to itself")
        owners = dig(document, "metadata", "ownerReferences") or []
        if len(owners) > 1:
            raise attributes.forbidden(f"{can_only} a single owner reference set to itself")
        owner = owners[0] if owners else {}
        if (owner.get("apiVersion"), owner.get("kind"), owner.get("name")) != ("v1", "Node", node):
            raise attributes.forbidden(f"{can_only} an owner reference set to itself")
        if not owner.get("controller"):
            raise attributes.forbidden(f"{can_only} a controller owner reference set to itself")
        if owner.get("blockOwnerDeletion"):
            raise attributes.forbidden(f'node "{node}" must not set blockOwnerDeletion on an owner reference')
        uid = (await self._client.get(NODES, node)).metadata.uid
        if owner.get("uid") != uid:
            raise attributes.forbidden(f"node {node} UID mismatch: expected {owner.get('uid')} got {uid}")
        referred = api_reference(document.get("spec") or {})
        if referred:
            raise attributes.forbidden(f'node "{node}" can not create pods that reference {referred}')

    async def _pod_status(self, attributes: Attributes, node: str) -> None:
        new, old = attributes.document, attributes.old
        if dig(old, "spec", "nodeName") != node:
            what = "update pod status for pods with spec.nodeName set to itself"
            raise attributes.forbidden(f'node "{node}" can only {what}')
        if _labels(new) != _labels(old):
            raise attributes.forbidden(f'node "{node}" cannot update labels through pod status')
        for field, what in (
            ("resourceClaimStatuses", "resource claim statues"),
            ("extendedResourceClaimStatus", "extended resource claim status"),
        ):
            if (dig(new, "status", field) or None) != (dig(old, "status", field) or None):
                raise attributes.forbidden(f'node "{node}" cannot update {what}')

    async def _eviction(self, attributes: Attributes, node: str) -> None:
        pod = await self._found_pod(attributes.namespace, attributes.name or _name(attributes.document))
        if pod.spec.nodeName != node:
            raise attributes.forbidden(f"node {node} can only evict pods with spec.nodeName set to itself")

    async def _claim_status(self, attributes: Attributes, node: str) -> None:
        if _unwritten(attributes.document) != _unwritten(attributes.old):
            what = "update fields other than status.quantity and status.conditions"
            raise attributes.forbidden(f'node "{node}" is not allowed to {what}')

    async def _claim(self, attributes: Attributes, node: str) -> None:
        raise attributes.forbidden("may only update PVC status")

    async def _token(self, attributes: Attributes, node: str) -> None:
        reference = dig(attributes.document, "spec", "boundObjectRef") or {}
        if (reference.get("apiVersion"), reference.get("kind")) != ("v1", "Pod") or not reference.get("name"):
            raise attributes.forbidden("node requested token not bound to a pod")
        if not reference.get("uid"):
            raise attributes.forbidden("node requested token with a pod binding without a uid")
        pod = await self._found_pod(attributes.namespace, reference["name"])
        if pod.metadata.uid != reference["uid"]:
            raise attributes.forbidden(
                f"the UID in the bound object reference ({reference['uid']}) does not match the UID in record. "
                "The object might have been deleted and then recreated"
            )
        if pod.spec.nodeName != node:
            raise attributes.forbidden("node requested token bound to a pod scheduled on a different node")
        await self._audience(attributes, pod)

    async def _audience(self, attributes: Attributes, pod: Pod) -> None:
        """A kubelet gets tokens only for those whom its pods' volumes are to convince."""
        audiences = dig(attributes.document, "spec", "audiences") or [""]
        if len(audiences) > 1:
            raise attributes.forbidden("node may only request 0 or 1 audiences")
        audience, user = audiences[0], attributes.user
        if audience in _token_audiences(pod) or await self._is_of_driver(audience, pod):
            return
        asked = AccessAttributes(
            user,
            "request-serviceaccounts-token-audience",
            version="v1",
            resource=audience,
            namespace=attributes.namespace,
            name=attributes.name,
        )
        if self._authorizer is None or not (await self._authorizer.decide(asked)).allowed:
            why = f"{user.name} is not authorized to request tokens for this audience"
            raise attributes.forbidden(f'audience "{audience}" not found in pod spec volume, {why}')

    async def _is_of_driver(self, audience: str, pod: Pod) -> bool:
        """Whether a CSI driver of the pod's volumes wants tokens for this audience."""
        for volume in pod.spec.volumes:
            driver = volume.csi.driver if volume.csi is not None else ""
            if volume.persistentVolumeClaim is not None:
                driver = await self._driver_of(pod.metadata.namespace, volume.persistentVolumeClaim.claimName)
            elif volume.ephemeral is not None:
                driver = await self._driver_of(pod.metadata.namespace, f"{pod.metadata.name}-{volume.name}")
            found = await self._found(CSI_DRIVERS, driver) if driver else None
            if found is not None and any(each.audience == audience for each in found.spec.tokenRequests):
                return True
        return False

    async def _driver_of(self, namespace: str, claim: str) -> str:
        found = await self._found(PERSISTENT_VOLUME_CLAIMS, claim, namespace)
        name = found.spec.volumeName if found is not None else ""
        volume = await self._found(PERSISTENT_VOLUMES, name) if name else None
        return volume.spec.csi.driver if volume is not None and volume.spec.csi is not None else ""

    async def _lease(self, attributes: Attributes, node: str) -> None:
        if attributes.namespace != LEASES_NAMESPACE:
            raise attributes.forbidden(f'can only access leases in the "{LEASES_NAMESPACE}" system namespace')
        if (attributes.name or _name(attributes.document)) != node:
            raise attributes.forbidden("can only access node lease with the same name as the requesting node")

    async def _csi_node(self, attributes: Attributes, node: str) -> None:
        if (attributes.name or _name(attributes.document)) != node:
            raise attributes.forbidden("can only access CSINode with the same name as the requesting node")

    async def _resource_slice(self, attributes: Attributes, node: str) -> None:
        for document, what in ((attributes.document, "create"), (attributes.old, "delete")):
            if attributes.operation == what.upper() and dig(document, "spec", "nodeName") != node:
                why = f"can only {what} ResourceSlice with the same NodeName as the requesting node"
                raise attributes.forbidden(why)

    async def _certificate_request(self, attributes: Attributes, node: str) -> None:
        if attributes.operation != "CREATE" or dig(attributes.document, "spec", "signerName") not in _SIGNERS:
            return
        try:
            name = _common_name(b64decode(dig(attributes.document, "spec", "request") or ""))
        except ValueError as error:
            raise attributes.forbidden(f"unable to parse csr: {error}") from None
        if name != NODE_PREFIX + node:
            raise attributes.forbidden(f"can only create a node CSR with CN={NODE_PREFIX}{node}")

    async def _found_pod(self, namespace: str, name: str) -> Pod:
        found = self._pods.get(f"{namespace}/{name}")
        return found if found is not None else await self._client.get(PODS, name, namespace)

    async def _found(self, resource: Resource[Any], name: str, namespace: str = "") -> Any:
        try:
            return await self._client.get(resource, name, namespace)
        except StatusError as error:
            if not is_not_found(error):
                raise
            return None


_RULES: Mapping[tuple[str, str], Rule] = {
    ("nodes", ""): NodeRestriction._node,
    ("nodes", "status"): NodeRestriction._node,
    ("pods", ""): NodeRestriction._pod,
    ("pods", "status"): NodeRestriction._pod_status,
    ("pods", "eviction"): NodeRestriction._eviction,
    ("persistentvolumeclaims", ""): NodeRestriction._claim,
    ("persistentvolumeclaims", "status"): NodeRestriction._claim_status,
    ("serviceaccounts", "token"): NodeRestriction._token,
    ("leases.coordination.k8s.io", ""): NodeRestriction._lease,
    ("csinodes.storage.k8s.io", ""): NodeRestriction._csi_node,
    ("resourceslices.resource.k8s.io", ""): NodeRestriction._resource_slice,
    ("certificatesigningrequests.certificates.k8s.io", ""): NodeRestriction._certificate_request,
}


def _name(document: Mapping[str, Any] | None) -> str:
    return dig(document, "metadata", "name") or ""


def _labels(document: Mapping[str, Any] | None) -> Mapping[str, str]:
    return dig(document, "metadata", "labels") or {}


def _unwritten(claim: Mapping[str, Any] | None) -> Mapping[str, Any]:
    """What of a claim a kubelet must leave as it is."""
    claim = claim or {}
    meta = {name: value for name, value in (claim.get("metadata") or {}).items() if name not in _FORGOTTEN}
    status = {name: value for name, value in (claim.get("status") or {}).items() if name not in _CLAIM_STATUS}
    return {**claim, "metadata": meta, "status": status}


def _token_audiences(pod: Pod) -> set[str]:
    projected = (volume.projected for volume in pod.spec.volumes if volume.projected is not None)
    tokens = (source.serviceAccountToken for each in projected for source in each.sources)
    return {each.audience for each in tokens if each is not None}


def _common_name(pem: bytes) -> str:
    from cryptography import x509
    from cryptography.x509.oid import NameOID

    names = x509.load_pem_x509_csr(pem).subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else ""
