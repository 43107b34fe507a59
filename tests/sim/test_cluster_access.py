"""Who may do what on a whole simulated cluster: RBAC, service accounts, nodes."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.authentication_v1 import TokenRequest
from proa.api.core_v1.resources import CONFIG_MAPS, NODES, PODS, SECRETS, SERVICE_ACCOUNTS
from proa.machinery.status import StatusError, is_forbidden
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=2)

SECRET = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "key"}, "stringData": {"a": "b"}}
READ_SECRETS = [
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "Role",
        "metadata": {"name": "reader"},
        "rules": [{"apiGroups": [""], "resources": ["secrets"], "verbs": ["get", "list"]}],
    },
    {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "app-reads"},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "reader"},
        "subjects": [{"kind": "ServiceAccount", "name": "app", "namespace": "default"}],
    },
]


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "v1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


async def test_every_pod_finds_its_service_accounts_token_mounted(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(pod("web"))
    found = await proa_cluster.get(PODS, "web")
    assert found is not None
    assert found.spec.serviceAccountName == "default"
    (volume,) = found.spec.volumes
    assert volume.name.startswith("kube-api-access-")
    assert volume.projected is not None
    token, authority, namespace = volume.projected.sources
    assert token.serviceAccountToken is not None
    assert token.serviceAccountToken.path == "token"
    assert authority.configMap is not None
    assert authority.configMap.name == "kube-root-ca.crt"
    assert namespace.downwardAPI is not None
    (mount,) = found.spec.containers[0].volumeMounts
    assert (mount.name, mount.mountPath, mount.readOnly) == (
        volume.name,
        "/var/run/secrets/kubernetes.io/serviceaccount",
        True,
    )
    root = await proa_cluster.get(CONFIG_MAPS, "kube-root-ca.crt")
    assert root is not None
    assert "BEGIN CERTIFICATE" in root.data["ca.crt"]


async def test_a_service_account_lists_secrets_only_after_it_was_bound_to_a_role(proa_cluster: Cluster) -> None:
    await proa_cluster.apply([SECRET, {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "app"}}])
    app = proa_cluster.client_for_service_account("default", "app")
    with pytest.raises(StatusError) as refused:
        await app.list(SECRETS, "default")
    assert is_forbidden(refused.value)
    assert refused.value.message == (
        'secrets is forbidden: User "system:serviceaccount:default:app" cannot list resource "secrets" '
        'in API group "" in the namespace "default"'
    )
    await proa_cluster.apply(READ_SECRETS)
    await proa_cluster.settle()
    assert [each.metadata.name for each in (await app.list(SECRETS, "default")).items] == ["key"]
    with pytest.raises(StatusError) as refused:
        await app.list(SECRETS, "kube-system")
    assert is_forbidden(refused.value)
    with pytest.raises(StatusError) as refused:
        await app.delete(SECRETS, "key", "default")
    assert is_forbidden(refused.value)


async def test_a_token_is_issued_for_an_hour_and_bound_to_its_pod(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(pod("web"))
    web = await proa_cluster.get(PODS, "web")
    assert web is not None
    reference = {"kind": "Pod", "apiVersion": "v1", "name": "web", "uid": web.metadata.uid}
    request = msgspec.convert({"spec": {"audiences": [], "boundObjectRef": reference}}, TokenRequest)
    issued = await proa_cluster.client.post(SERVICE_ACCOUNTS, "default", "default", "token", request)
    assert issued["status"]["token"].count(".") == 2
    assert issued["status"]["expirationTimestamp"].startswith("2026-01-01T01:")


async def test_a_node_reads_the_secrets_of_its_own_pods_only(proa_cluster: Cluster) -> None:
    volume = {"name": "key", "secret": {"secretName": "key"}}
    await proa_cluster.apply([SECRET, pod("web", volumes=[volume], nodeName="simulated-0")])
    await proa_cluster.clock.advance("1s")
    mine, other = (
        proa_cluster.client_for(f"system:node:simulated-{number}", groups=["system:nodes"]) for number in (0, 1)
    )
    assert (await mine.get(SECRETS, "key", "default")).metadata.name == "key"
    with pytest.raises(StatusError, match="no relationship found between node 'simulated-1' and this object") as found:
        await other.get(SECRETS, "key", "default")
    assert is_forbidden(found.value)
    with pytest.raises(StatusError) as found:
        await mine.list(SECRETS, "default")
    assert is_forbidden(found.value)


async def test_a_node_writes_its_own_node_and_pods_only(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(pod("web", nodeName="simulated-0"))
    await proa_cluster.clock.advance("1s")
    other = proa_cluster.client_for("system:node:simulated-1", groups=["system:nodes"])
    status = {"status": {"message": "mine now"}}
    with pytest.raises(StatusError) as refused:
        await other.patch(PODS, "web", "default", status, subresource="status")
    assert is_forbidden(refused.value)
    with pytest.raises(StatusError) as refused:
        await other.patch(NODES, "simulated-0", "", {"metadata": {"labels": {"x": "y"}}})
    assert is_forbidden(refused.value)
    await other.patch(NODES, "simulated-1", "", {"metadata": {"labels": {"x": "y"}}})


async def test_nobody_in_particular_may_do_nothing_but_ask(proa_cluster: Cluster) -> None:
    anybody = proa_cluster.client_for("jane")
    with pytest.raises(StatusError) as refused:
        await anybody.list(PODS, "default")
    assert is_forbidden(refused.value)
    version = await anybody.document("GET", "/version")
    assert version["major"] == "1"
