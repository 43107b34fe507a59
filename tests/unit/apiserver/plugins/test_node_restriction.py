from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from proa.api.certificates_v1.resources import CERTIFICATE_SIGNING_REQUESTS
from proa.api.coordination_v1.resources import LEASES
from proa.api.core_v1 import Node, Pod
from proa.api.core_v1.resources import NODES, PERSISTENT_VOLUME_CLAIMS, PODS, SERVICE_ACCOUNTS
from proa.api.resource_v1.resources import RESOURCE_SLICES
from proa.api.storage_v1 import CSIDriver
from proa.api.storage_v1.resources import CSI_DRIVERS, CSI_NODES
from proa.apiserver.identity import User
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.node_restriction import NodeRestriction
from proa.machinery.status import StatusError

from .conftest import current, made, passed, write

KUBELET = User("system:node:n1", groups=("system:nodes",))
HERE = {"spec": {"nodeName": "n1"}}


def meta(name: str, **more: Any) -> dict[str, Any]:
    return {"metadata": {"name": name, **more}}


MIRROR = {"annotations": {"kubernetes.io/config.mirror": "x"}}
OWNER = {"apiVersion": "v1", "kind": "Node", "name": "n1", "uid": "1", "controller": True}
TAINTED = {**meta("n1"), "spec": {"taints": [{"key": "a"}]}}
LABELLED = meta("n1", labels={"node-restriction.kubernetes.io/tier": "gold", "example.com/free": "1"})


@pytest.mark.parametrize(
    ("resource", "operation", "document", "old", "subresource", "said"),
    [
        (NODES, "UPDATE", meta("n2"), meta("n2"), "status", 'node "n1" is not allowed to modify node "n2"'),
        (NODES, "UPDATE", TAINTED, meta("n1"), "", "is not allowed to modify taints"),
        (
            NODES,
            "CREATE",
            LABELLED,
            None,
            "",
            "is not allowed to set the following labels: node-restriction.kubernetes.io/tier$",
        ),
        (
            NODES,
            "UPDATE",
            meta("n1", labels={"unknown.kubernetes.io/x": "1"}),
            meta("n1"),
            "",
            "is not allowed to modify labels: unknown.kubernetes.io/x",
        ),
        (NODES, "UPDATE", meta("n1", ownerReferences=[OWNER]), meta("n1"), "", "not allowed to modify ownerReferences"),
        (PODS, "CREATE", {**meta("p"), **HERE}, None, "", 'pod does not have "kubernetes.io/config.mirror" annotation'),
        (PODS, "CREATE", meta("p", **MIRROR), None, "", "can only create pods with spec.nodeName set to itself"),
        (PODS, "CREATE", {**meta("p", **MIRROR), **HERE}, None, "", "with an owner reference set to itself"),
        (
            PODS,
            "CREATE",
            {**meta("p", **MIRROR, ownerReferences=[{**OWNER, "blockOwnerDeletion": True}]), **HERE},
            None,
            "",
            "must not set blockOwnerDeletion",
        ),
        (
            PODS,
            "CREATE",
            {**meta("p", **MIRROR, ownerReferences=[OWNER]), **HERE},
            None,
            "",
            "node n1 UID mismatch: expected 1 got",
        ),
        (PODS, "DELETE", None, {**meta("p"), "spec": {"nodeName": "n2"}}, "", "can only delete pods with"),
        (PODS, "UPDATE", meta("p"), meta("p"), "", "can only create and delete mirror pods"),
        (PODS, "UPDATE", meta("p"), {"spec": {"nodeName": "n2"}}, "status", "can only update pod status for pods"),
        (PODS, "UPDATE", meta("p", labels={"a": "b"}), HERE, "status", "cannot update labels through pod status"),
        (PODS, "CREATE", meta("elsewhere"), None, "eviction", "can only evict pods with spec.nodeName"),
        (PERSISTENT_VOLUME_CLAIMS, "UPDATE", meta("c"), meta("c"), "", "may only update PVC status"),
        (
            PERSISTENT_VOLUME_CLAIMS,
            "UPDATE",
            {**meta("c"), "status": {"phase": "Bound"}},
            meta("c"),
            "status",
            "is not allowed to update fields other than",
        ),
        (LEASES, "UPDATE", meta("n1"), meta("n1"), "", 'can only access leases in the "kube-node-lease"'),
        (CSI_NODES, "CREATE", meta("n2"), None, "", "can only access CSINode with the same name"),
        (
            RESOURCE_SLICES,
            "CREATE",
            {**meta("s"), "spec": {"nodeName": "n2"}},
            None,
            "",
            "can only create ResourceSlice with the same NodeName",
        ),
        (RESOURCE_SLICES, "DELETE", None, meta("s"), "", "can only delete ResourceSlice with the same NodeName"),
    ],
)
async def test_a_kubelet_may_not_write_what_is_not_its_nodes(
    context: PluginContext, resource: Any, operation: Any, document: Any, old: Any, subresource: str, said: str
) -> None:
    await context.client.create(NODES, made(Node, "n1"))
    await context.client.create(PODS, made(Pod, "elsewhere", "default", spec=RUNNING | {"nodeName": "n2"}))
    plugin = NodeRestriction(context)
    request = write(resource, document, operation, old=old, user=KUBELET, subresource=subresource)
    assert plugin.handles(resource, subresource, operation)
    with pytest.raises(StatusError, match=said) as caught:
        await passed(plugin.validate(request))
    assert caught.value.code == 403


RUNNING: dict[str, Any] = {"containers": [{"name": "c", "image": "x"}]}


async def test_a_kubelet_makes_mirror_pods_that_refer_to_nothing(context: PluginContext) -> None:
    node = await context.client.create(NODES, made(Node, "n1"))
    owned = meta("p", **MIRROR, ownerReferences=[{**OWNER, "uid": node.metadata.uid}])
    plugin = NodeRestriction(context)
    await passed(plugin.validate(write(PODS, {**owned, "spec": {"nodeName": "n1", **RUNNING}}, user=KUBELET)))
    for spec, what in (
        ({"serviceAccountName": "a"}, "serviceaccounts"),
        ({"containers": [{"name": "c", "envFrom": [{"secretRef": {"name": "s"}}]}]}, "secrets"),
        ({"volumes": [{"name": "v", "configMap": {"name": "c"}}]}, r"configmaps \(via configmap volumes\)"),
        (
            {"volumes": [{"name": "v", "projected": {"sources": [{"serviceAccountToken": {"path": "t"}}]}}]},
            r"serviceaccounts \(via projected volumes\)",
        ),
    ):
        document = {**owned, "spec": {"nodeName": "n1", **RUNNING, **spec}}
        with pytest.raises(StatusError, match=f"can not create pods that reference {what}"):
            await passed(plugin.validate(write(PODS, document, user=KUBELET)))


async def test_a_kubelet_may_write_its_own(context: PluginContext) -> None:
    plugin = NodeRestriction(context)
    node = meta("n1", labels={"kubernetes.io/hostname": "n1", "node.kubernetes.io/x": "1", "example.com/free": "1"})
    await passed(plugin.validate(write(NODES, {**node, "spec": {}}, user=KUBELET)))
    pod = {**meta("p", labels={"a": "b"}), **HERE}
    await passed(plugin.validate(write(PODS, pod, "UPDATE", old=pod, user=KUBELET, subresource="status")))
    await passed(plugin.validate(write(LEASES, meta("n1"), user=KUBELET, namespace="kube-node-lease")))
    await passed(plugin.validate(write(CSI_NODES, meta("n1"), user=KUBELET)))
    claim = {**meta("c", resourceVersion="2"), "status": {"capacity": {"storage": "1"}}}
    old = meta("c", resourceVersion="1")
    await passed(
        plugin.validate(write(PERSISTENT_VOLUME_CLAIMS, claim, "UPDATE", old=old, user=KUBELET, subresource="status"))
    )


async def test_nobody_else_is_restricted(context: PluginContext) -> None:
    await passed(NodeRestriction(context).validate(write(NODES, TAINTED, "UPDATE", old=meta("n1"))))


def token(pod: Any, *audiences: str, **reference: Any) -> dict[str, Any]:
    bound = {"apiVersion": "v1", "kind": "Pod", "name": pod.metadata.name, "uid": pod.metadata.uid, **reference}
    return {"spec": {"audiences": list(audiences), "boundObjectRef": bound}}


async def test_a_kubelet_gets_tokens_only_for_its_pods_and_their_audiences(context: PluginContext) -> None:
    sources = [{"serviceAccountToken": {"path": "t", "audience": "vault"}}]
    volumes = [{"name": "v", "projected": {"sources": sources}}, {"name": "w", "csi": {"driver": "csi.example.com"}}]
    spec = {**RUNNING, "serviceAccountName": "default", "volumes": volumes}
    here = await context.client.create(PODS, made(Pod, "here", "default", spec={**spec, "nodeName": "n1"}))
    there = await context.client.create(PODS, made(Pod, "there", "default", spec={**spec, "nodeName": "n2"}))
    driver = made(CSIDriver, "csi.example.com", spec={"tokenRequests": [{"audience": "csi"}]})
    await context.client.create(CSI_DRIVERS, driver)
    plugin = NodeRestriction(context)
    await current(context)

    async def ask(document: dict[str, Any]) -> None:
        await passed(plugin.validate(write(SERVICE_ACCOUNTS, document, user=KUBELET, subresource="token")))

    await ask(token(here, "vault"))
    await ask(token(here, "csi"))
    for document, why in (
        ({"spec": {}}, "not bound to a pod"),
        (token(here, "vault", uid=""), "without a uid"),
        (token(here, "vault", uid="other"), "does not match the UID in record"),
        (token(there, "vault"), "scheduled on a different node"),
        (token(here, "vault", "csi"), "may only request 0 or 1 audiences"),
        (token(here, "other"), 'audience "other" not found in pod spec volume'),
    ):
        with pytest.raises(StatusError, match=why):
            await ask(document)


def signing_request(name: str) -> dict[str, Any]:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    csr = x509.CertificateSigningRequestBuilder().subject_name(subject)
    pem = csr.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(serialization.Encoding.PEM)
    request = b64encode(pem).decode()
    return {**meta("csr"), "spec": {"signerName": "kubernetes.io/kubelet-serving", "request": request}}


async def test_a_kubelet_asks_for_certificates_of_its_own_node_only(context: PluginContext) -> None:
    plugin = NodeRestriction(context)
    await passed(plugin.validate(write(CERTIFICATE_SIGNING_REQUESTS, signing_request("system:node:n1"), user=KUBELET)))
    with pytest.raises(StatusError, match="can only create a node CSR with CN=system:node:n1"):
        await passed(
            plugin.validate(write(CERTIFICATE_SIGNING_REQUESTS, signing_request("system:node:n2"), user=KUBELET))
        )
