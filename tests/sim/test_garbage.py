"""What goes when its owner goes, in the three ways to delete, and what a deleted namespace takes along."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.apps_v1 import Deployment
from proa.api.apps_v1.resources import DEPLOYMENTS, REPLICA_SETS
from proa.api.core_v1 import ConfigMap, Namespace, Pod
from proa.api.core_v1.resources import CONFIG_MAPS, EVENTS, NAMESPACES, PODS, SERVICE_ACCOUNTS
from proa.machinery.meta import ObjectMeta, OwnerReference
from proa.machinery.status import StatusError, is_forbidden


def deployment(namespace: str = "default", name: str = "web", replicas: int = 3) -> Deployment:
    labels = {"app": name}
    return msgspec.convert(
        {
            "metadata": {"name": name, "namespace": namespace},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": labels},
                "template": {
                    "metadata": {"labels": labels},
                    "spec": {"containers": [{"name": "main", "image": "v1"}]},
                },
            },
        },
        Deployment,
    )


def config_map(name: str, *owners: OwnerReference, namespace: str = "default", **meta: Any) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace=namespace, ownerReferences=owners, **meta))


def owned_by(obj: Any, **more: Any) -> OwnerReference:
    return OwnerReference(
        apiVersion=obj.apiVersion, kind=obj.kind, name=obj.metadata.name, uid=obj.metadata.uid, **more
    )


async def started(plane: Any) -> None:
    await plane.client.create(DEPLOYMENTS, deployment())
    await plane.clock.advance(10)
    assert len(await plane.all(PODS)) == 3


def test_deleting_in_the_background_takes_replica_sets_and_pods_along(simulate):
    async def body(plane):
        await started(plane)
        await plane.client.delete(DEPLOYMENTS, "web", "default", propagation="Background")
        assert await plane.get(DEPLOYMENTS, "web") is None
        await plane.clock.advance(10)
        assert await plane.all(REPLICA_SETS) == []
        assert await plane.all(PODS) == []

    simulate(body)


def test_owners_in_a_circle_do_not_wait_for_each_other(simulate):
    async def body(plane):
        made = [await plane.client.create(CONFIG_MAPS, config_map(name)) for name in "abc"]
        for mine, owner in zip(made, (made[2], made[0], made[1]), strict=True):
            reference = owned_by(owner, blockOwnerDeletion=True)
            meta = msgspec.structs.replace(mine.metadata, ownerReferences=(reference,))
            await plane.client.update(CONFIG_MAPS, msgspec.structs.replace(mine, metadata=meta))
        await plane.clock.advance(10)
        await plane.client.delete(CONFIG_MAPS, "a", "default", propagation="Foreground")
        await plane.clock.advance(10)
        assert [each for each in "abc" if await plane.get(CONFIG_MAPS, each) is not None] == []

    simulate(body)


def test_deleting_in_the_foreground_keeps_the_owner_until_its_dependents_are_gone(simulate):
    async def body(plane):
        await started(plane)
        plane.pods.stop_after = 5.0
        await plane.client.delete(DEPLOYMENTS, "web", "default", propagation="Foreground")
        await plane.clock.advance(2)
        waiting = await plane.get(DEPLOYMENTS, "web")
        assert waiting.metadata.deletionTimestamp
        assert waiting.metadata.finalizers == ("foregroundDeletion",)
        (replica_set,) = await plane.all(REPLICA_SETS)
        assert replica_set.metadata.finalizers == ("foregroundDeletion",)
        assert all(pod.metadata.deletionTimestamp for pod in await plane.all(PODS))
        await plane.clock.advance(10)
        assert await plane.all(PODS) == []
        assert await plane.all(REPLICA_SETS) == []
        assert await plane.get(DEPLOYMENTS, "web") is None

    simulate(body)


def test_orphaned_dependents_stay_and_are_adopted_by_a_new_owner(simulate):
    async def body(plane):
        await started(plane)
        await plane.client.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")
        await plane.clock.advance(5)
        assert await plane.get(DEPLOYMENTS, "web") is None
        (replica_set,) = await plane.all(REPLICA_SETS)
        assert replica_set.metadata.ownerReferences == ()
        before = {pod.metadata.uid for pod in await plane.all(PODS)}
        assert len(before) == 3
        created = await plane.client.create(DEPLOYMENTS, deployment())
        await plane.clock.advance(10)
        (replica_set,) = await plane.all(REPLICA_SETS)
        assert replica_set.metadata.ownerReferences[0].uid == created.metadata.uid
        assert {pod.metadata.uid for pod in await plane.all(PODS)} == before

    simulate(body)


def test_an_object_goes_when_the_last_of_its_owners_has_gone(simulate):
    async def body(plane):
        first = await plane.client.create(CONFIG_MAPS, config_map("first"))
        second = await plane.client.create(CONFIG_MAPS, config_map("second"))
        await plane.client.create(CONFIG_MAPS, config_map("child", owned_by(first), owned_by(second)))
        await plane.client.delete(CONFIG_MAPS, "first", "default")
        await plane.clock.advance(5)
        child = await plane.get(CONFIG_MAPS, "child")
        assert [each.name for each in child.metadata.ownerReferences] == ["second"]
        await plane.client.delete(CONFIG_MAPS, "second", "default")
        await plane.clock.advance(5)
        assert await plane.get(CONFIG_MAPS, "child") is None

    simulate(body)


def test_an_owner_is_known_by_its_uid_not_its_name(simulate):
    async def body(plane):
        owner = await plane.client.create(CONFIG_MAPS, config_map("owner"))
        stale = msgspec.structs.replace(owned_by(owner), uid="11111111-2222-3333-4444-555555555555")
        await plane.client.create(CONFIG_MAPS, config_map("good", owned_by(owner)))
        await plane.client.create(CONFIG_MAPS, config_map("bad", stale))
        await plane.clock.advance(5)
        assert await plane.get(CONFIG_MAPS, "good") is not None
        assert await plane.get(CONFIG_MAPS, "bad") is None

    simulate(body)


def test_an_owner_in_another_namespace_does_not_count_and_is_told(simulate):
    async def body(plane):
        await plane.client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="other")))
        owner = await plane.client.create(CONFIG_MAPS, config_map("owner", namespace="other"))
        await plane.clock.advance(1)
        await plane.client.create(CONFIG_MAPS, config_map("child", owned_by(owner)))
        await plane.clock.advance(5)
        assert await plane.get(CONFIG_MAPS, "child") is None
        reasons = [event.reason for event in await plane.all(EVENTS) if event.involvedObject.kind == "ConfigMap"]
        assert reasons == ["OwnerRefInvalidNamespace"]

    simulate(body)


def test_a_dependent_that_does_not_block_does_not_hold_its_owner(simulate):
    async def body(plane):
        owner = await plane.client.create(CONFIG_MAPS, config_map("owner"))
        await plane.client.create(CONFIG_MAPS, config_map("held", owned_by(owner), finalizers=("example.com/hold",)))
        await plane.client.delete(CONFIG_MAPS, "owner", "default", propagation="Foreground")
        await plane.clock.advance(5)
        assert await plane.get(CONFIG_MAPS, "owner") is None
        assert (await plane.get(CONFIG_MAPS, "held")).metadata.deletionTimestamp

    simulate(body)


def test_every_namespace_gets_its_service_account_and_root_certificate_and_gets_them_back(simulate):
    async def body(plane):
        await plane.client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="team")))
        await plane.clock.advance(2)
        assert await plane.get(SERVICE_ACCOUNTS, "default", "team")
        assert (await plane.get(CONFIG_MAPS, "kube-root-ca.crt", "team")).data == {"ca.crt": "PEM"}
        await plane.client.delete(SERVICE_ACCOUNTS, "default", "team")
        await plane.client.patch(CONFIG_MAPS, "kube-root-ca.crt", "team", {"data": {"ca.crt": "forged"}}, type="merge")
        await plane.clock.advance(2)
        assert await plane.get(SERVICE_ACCOUNTS, "default", "team")
        assert (await plane.get(CONFIG_MAPS, "kube-root-ca.crt", "team")).data == {"ca.crt": "PEM"}

    simulate(body)


def test_a_deleted_namespace_takes_everything_along_pods_first(simulate):
    async def body(plane):
        await plane.client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="team")))
        await plane.client.create(DEPLOYMENTS, deployment("team"))
        await plane.client.create(CONFIG_MAPS, config_map("settings", namespace="team"))
        await plane.clock.advance(10)
        assert len(await plane.all(PODS, "team")) == 3
        plane.pods.stop_after = 3.0
        await plane.client.delete(NAMESPACES, "team")
        await plane.clock.advance(1)
        going = await plane.get(NAMESPACES, "team", "")
        assert going.status.phase == "Terminating"
        remaining = next(each for each in going.status.conditions if each.type == "NamespaceContentRemaining")
        assert (remaining.status, remaining.reason) == ("True", "SomeResourcesRemain")
        assert "pods. has 3 resource instances" in remaining.message
        assert await plane.get(CONFIG_MAPS, "settings", "team"), "pods may still need it"
        with pytest.raises(StatusError) as refused:
            await plane.client.create(CONFIG_MAPS, config_map("late", namespace="team"))
        assert is_forbidden(refused.value)
        await plane.clock.advance(20)
        assert await plane.get(NAMESPACES, "team", "") is None
        assert await plane.all(CONFIG_MAPS, "team") == []
        assert await plane.all(DEPLOYMENTS, "team") == []

    simulate(body)


def test_a_finalizer_in_the_namespace_is_named_and_waited_for(simulate):
    async def body(plane):
        await plane.client.create(NAMESPACES, Namespace(metadata=ObjectMeta(name="team")))
        await plane.client.create(CONFIG_MAPS, config_map("held", namespace="team", finalizers=("example.com/hold",)))
        await plane.client.delete(NAMESPACES, "team")
        await plane.clock.advance(10)
        going = await plane.get(NAMESPACES, "team", "")
        held = next(each for each in going.status.conditions if each.type == "NamespaceFinalizersRemaining")
        assert held.status == "True"
        assert "example.com/hold in 1 resource instances" in held.message
        await plane.client.patch(CONFIG_MAPS, "held", "team", {"metadata": {"finalizers": None}}, type="merge")
        await plane.clock.advance(10)
        assert await plane.get(NAMESPACES, "team", "") is None

    simulate(body)


def test_a_pod_is_no_owner_of_what_it_does_not_name(simulate):
    async def body(plane):
        pod = msgspec.convert(
            {
                "metadata": {"name": "lone", "namespace": "default"},
                "spec": {"containers": [{"name": "main", "image": "v1"}]},
            },
            Pod,
        )
        await plane.client.create(PODS, pod)
        await plane.client.create(CONFIG_MAPS, config_map("free"))
        await plane.clock.advance(5)
        await plane.client.delete(PODS, "lone", "default")
        await plane.clock.advance(5)
        assert await plane.get(PODS, "lone") is None
        assert await plane.get(CONFIG_MAPS, "free")

    simulate(body)
