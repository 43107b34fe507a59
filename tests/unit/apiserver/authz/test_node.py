"""What a kubelet may: its own objects, and what pods on its node refer to."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import PersistentVolume, Pod
from proa.api.core_v1.resources import PERSISTENT_VOLUMES, PODS
from proa.api.resource_v1 import ResourceSlice
from proa.api.resource_v1.resources import RESOURCE_SLICES
from proa.api.storage_v1 import VolumeAttachment
from proa.api.storage_v1.resources import VOLUME_ATTACHMENTS
from proa.apiserver.authz.node import NodeAuthorizer
from proa.apiserver.compose import ApiServer
from proa.apiserver.identity import LOOPBACK, AccessAttributes, Decision, User, Verdict
from proa.client.informer import Informers
from proa.client.protocol import Client

NODE = User("system:node:n", groups=("system:nodes",))
CLAIM = {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}
SPEC = {
    "nodeName": "n",
    "serviceAccountName": "robot",
    "imagePullSecrets": [{"name": "pull"}],
    "containers": [
        {
            "name": "a",
            "image": "b",
            "envFrom": [{"configMapRef": {"name": "env"}}],
            "env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "key", "key": "k"}}}],
        }
    ],
    "volumes": [
        {"name": "c", "persistentVolumeClaim": {"claimName": "claim"}},
        {"name": "p", "projected": {"sources": [{"secret": {"name": "projected"}}]}},
        {"name": "e", "ephemeral": {"volumeClaimTemplate": {"spec": CLAIM}}},
    ],
}


class Checked:
    def __init__(self, client: Client, authorizer: NodeAuthorizer) -> None:
        self.client, self.authorizer = client, authorizer

    async def create(self, resource: Any, kind: Any, name: str, spec: Any, **meta: Any) -> None:
        where = {"namespace": "default"} if resource.namespaced else {}
        document = {"metadata": {"name": name, **where, **meta}, "spec": spec}
        await self.client.create(resource, msgspec.convert(document, kind))

    async def pod(self, name: str = "p", **meta: Any) -> None:
        generation = self.authorizer.generation
        await self.create(PODS, Pod, name, SPEC, **meta)
        async with asyncio.timeout(5):
            while self.authorizer.generation == generation:  # noqa: ASYNC110  # its informer tells nobody else
                await asyncio.sleep(0)

    async def decide(self, verb: str, what: str, name: str = "", **more: str) -> Decision:
        """what: `group/resource[/subresource]`; namespaced things are in `default`."""
        group, resource, *rest = what.split("/")
        flat = resource in ("nodes", "persistentvolumes", "volumeattachments", "resourceslices", "csinodes")
        attributes = AccessAttributes(
            more.pop("user", NODE),  # type: ignore[arg-type]
            verb,
            group,
            "v1",
            resource,
            rest[0] if rest else "",
            more.pop("namespace", "" if flat else "default"),
            name,
            field_selector=more.pop("fields", ""),
        )
        return await self.authorizer.decide(attributes)

    async def may(self, verb: str, what: str, name: str = "", **more: str) -> bool:
        return (await self.decide(verb, what, name, **more)).allowed


@pytest.fixture
async def checked(server: ApiServer) -> AsyncIterator[Checked]:
    client = server.client_for(LOOPBACK)
    informers = Informers(client)
    authorizer = NodeAuthorizer(informers, client)
    await informers.start()
    await authorizer.synced()
    yield Checked(client, authorizer)
    await informers.close()


@pytest.mark.parametrize(
    ("what", "names"),
    [
        ("/secrets", ("pull", "key", "projected")),
        ("/configmaps", ("env",)),
        ("/persistentvolumeclaims", ("claim", "p-e")),
        ("/serviceaccounts", ("robot",)),
        ("/pods", ("p",)),
    ],
)
async def test_a_node_reads_what_its_pods_refer_to(checked: Checked, what: str, names: tuple[str, ...]) -> None:
    for name in names:
        refused = await checked.decide("get", what, name)
        assert (refused.verdict, refused.reason) == (
            Verdict.NO_OPINION,
            "no relationship found between node 'n' and this object",
        )
    await checked.pod()
    for name in names:
        assert await checked.may("get", what, name)
        assert not await checked.may("get", what, name, namespace="other")
    assert not await checked.may("get", what, "other")


async def test_a_nodes_own_mirror_pods_open_nothing(checked: Checked) -> None:
    await checked.pod(annotations={"kubernetes.io/config.mirror": "x"})
    assert await checked.may("get", "/pods", "p")
    assert not await checked.may("get", "/secrets", "key")
    assert not await checked.may("create", "/serviceaccounts/token", "robot")


async def test_secrets_and_maps_are_read_one_by_one(checked: Checked) -> None:
    await checked.pod()
    for verb in ("get", "list", "watch"):
        assert await checked.may(verb, "/secrets", "key")
        assert not await checked.may(verb, "/secrets")
    for verb in ("create", "update", "delete"):
        assert (await checked.decide(verb, "/configmaps", "env")).reason == "can only read resources of this type"


async def test_tokens_are_made_for_accounts_of_its_pods(checked: Checked) -> None:
    await checked.pod()
    assert await checked.may("create", "/serviceaccounts/token", "robot")
    assert not await checked.may("create", "/serviceaccounts/token", "other")
    assert not await checked.may("update", "/serviceaccounts/token", "robot")
    assert not await checked.may("create", "/serviceaccounts", "robot")


async def test_claims_are_read_and_their_status_written(checked: Checked) -> None:
    await checked.pod()
    assert await checked.may("patch", "/persistentvolumeclaims/status", "claim")
    assert not await checked.may("get", "/persistentvolumeclaims/status", "claim")
    assert not await checked.may("list", "/persistentvolumeclaims", "claim")


async def test_pods_are_listed_by_node_only(checked: Checked) -> None:
    assert await checked.may("list", "/pods", fields="spec.nodeName=n", namespace="")
    assert await checked.may("watch", "/pods", fields="status.phase!=Failed,spec.nodeName=n", namespace="")
    refused = await checked.decide("list", "/pods", fields="spec.nodeName=m", namespace="")
    assert refused.reason == "can only list/watch pods with spec.nodeName field selector"
    assert not await checked.may("watch", "/pods", fields="spec.nodeName!=n")
    for verb in ("create", "delete"):
        assert await checked.may(verb, "/pods", "any")
    assert await checked.may("patch", "/pods/status", "any")
    assert not await checked.may("get", "/pods/log", "any")


async def test_a_node_reads_itself_and_no_other_node(checked: Checked) -> None:
    assert await checked.may("get", "/nodes", "n")
    assert await checked.may("watch", "/nodes", "n")
    assert (await checked.decide("get", "/nodes", "m")).reason == ("node 'n' cannot read 'm', only its own Node object")
    assert "cannot read all nodes" in (await checked.decide("list", "/nodes")).reason
    assert await checked.may("create", "/nodes", "n")
    assert await checked.may("patch", "/nodes/status", "n")
    assert not await checked.may("delete", "/nodes", "n")


@pytest.mark.parametrize(
    ("what", "namespace"), [("coordination.k8s.io/leases", "kube-node-lease"), ("storage.k8s.io/csinodes", "")]
)
async def test_a_node_has_a_lease_and_a_csi_node_of_its_own(checked: Checked, what: str, namespace: str) -> None:
    assert await checked.may("create", what, namespace=namespace)
    for verb in ("get", "update", "patch", "delete"):
        assert await checked.may(verb, what, "n", namespace=namespace)
        assert not await checked.may(verb, what, "m", namespace=namespace)
    assert not await checked.may("list", what, namespace=namespace)


async def test_leases_elsewhere_are_not_the_nodes(checked: Checked) -> None:
    assert not await checked.may("get", "coordination.k8s.io/leases", "n")


async def test_the_volume_behind_a_pods_claim_may_be_read(checked: Checked) -> None:
    claim = {"namespace": "default", "name": "claim"}
    spec = {"accessModes": ["ReadWriteOnce"], "capacity": {"storage": "1Gi"}, "hostPath": {"path": "/x"}}
    await checked.create(PERSISTENT_VOLUMES, PersistentVolume, "v", {**spec, "claimRef": claim})
    assert not await checked.may("get", "/persistentvolumes", "v")
    await checked.pod()
    assert await checked.may("get", "/persistentvolumes", "v")
    assert not (await checked.decide("get", "/persistentvolumes", "v")).lasting
    assert not await checked.may("get", "/persistentvolumes", "missing")
    assert not await checked.may("list", "/persistentvolumes")


async def test_attachments_and_slices_of_the_node_may_be_read(checked: Checked) -> None:
    for name in ("n", "m"):
        attachment = {"attacher": "a", "nodeName": name, "source": {"persistentVolumeName": "v"}}
        await checked.create(VOLUME_ATTACHMENTS, VolumeAttachment, name, attachment)
        pool = {"name": "p", "resourceSliceCount": 1, "generation": 1}
        slice_ = {"driver": "d.x", "nodeName": name, "pool": pool, "devices": []}
        await checked.create(RESOURCE_SLICES, ResourceSlice, name, slice_)
    assert await checked.may("get", "storage.k8s.io/volumeattachments", "n")
    assert not await checked.may("get", "storage.k8s.io/volumeattachments", "m")
    assert await checked.may("delete", "resource.k8s.io/resourceslices", "n")
    assert not await checked.may("delete", "resource.k8s.io/resourceslices", "m")
    assert await checked.may("deletecollection", "resource.k8s.io/resourceslices", fields="spec.nodeName=n")
    assert not await checked.may("list", "resource.k8s.io/resourceslices")


async def test_everything_else_is_as_the_role_says_and_others_are_not_nodes(checked: Checked) -> None:
    assert await checked.may("list", "/services")
    assert not await checked.may("create", "/services")
    for user in (User("system:node:n"), User("n", groups=("system:nodes",))):
        assert not await checked.may("get", "/nodes", "n", user=user)  # type: ignore[arg-type]
