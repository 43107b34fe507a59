"""What holds of any object on a whole simulated cluster: ownership, namespaces, names, versions, watches, addresses."""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec
import pytest

from proa.api.apps_v1.resources import DEPLOYMENTS, REPLICA_SETS
from proa.api.core_v1 import ConfigMap, Pod, Service
from proa.api.core_v1.resources import CONFIG_MAPS, NAMESPACES, PODS, SERVICES
from proa.machinery.meta import ObjectMeta
from proa.machinery.status import StatusError, is_already_exists, is_conflict, is_forbidden, is_invalid
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=2)


def deployment(namespace: str = "default") -> dict[str, Any]:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": namespace},
        "spec": {
            "replicas": 3,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": "v1"}]},
            },
        },
    }


def service(name: str, **spec: Any) -> Service:
    return msgspec.convert(
        {"metadata": {"name": name, "namespace": "default"}, "spec": {"ports": [{"port": 80}], **spec}}, Service
    )


def config_map(name: str = "", **data: str) -> ConfigMap:
    return ConfigMap(metadata=ObjectMeta(name=name, namespace="default"), data=data)


async def started(cluster: Cluster) -> None:
    await cluster.apply(deployment())
    await cluster.clock.advance("5s")
    assert [each.status.phase for each in await cluster.all(PODS)] == ["Running"] * 3


async def test_deleting_in_the_background_takes_everything_along_afterwards(proa_cluster: Cluster) -> None:
    await started(proa_cluster)
    await proa_cluster.client.delete(DEPLOYMENTS, "web", "default", propagation="Background")
    assert await proa_cluster.get(DEPLOYMENTS, "web") is None
    await proa_cluster.clock.advance("40s")
    assert not await proa_cluster.all(REPLICA_SETS)
    assert not await proa_cluster.all(PODS)


async def test_deleting_in_the_foreground_keeps_the_owner_until_its_pods_are_gone(proa_cluster: Cluster) -> None:
    stubborn = deployment()
    stubborn["spec"]["template"]["metadata"]["annotations"] = {"proa.fake/stop-latency": "5"}
    await proa_cluster.apply(stubborn)
    await proa_cluster.clock.advance("5s")
    await proa_cluster.client.delete(DEPLOYMENTS, "web", "default", propagation="Foreground")
    await proa_cluster.clock.advance("3s")
    waiting = await proa_cluster.get(DEPLOYMENTS, "web")
    assert waiting is not None
    assert waiting.metadata.deletionTimestamp is not None
    assert len(await proa_cluster.all(PODS)) == 3
    await proa_cluster.clock.advance("10s")
    assert await proa_cluster.get(DEPLOYMENTS, "web") is None
    assert not await proa_cluster.all(PODS)


async def test_orphaned_pods_go_on(proa_cluster: Cluster) -> None:
    await started(proa_cluster)
    (replica_set,) = await proa_cluster.all(REPLICA_SETS)
    await proa_cluster.client.delete(DEPLOYMENTS, "web", "default", propagation="Orphan")
    await proa_cluster.client.delete(REPLICA_SETS, replica_set.metadata.name, "default", propagation="Orphan")
    await proa_cluster.clock.advance("60s")
    assert not await proa_cluster.all(REPLICA_SETS)
    pods = await proa_cluster.all(PODS)
    assert [each.status.phase for each in pods] == ["Running"] * 3
    assert not any(each.metadata.ownerReferences for each in pods)


async def test_a_deleted_namespace_empties_itself_and_refuses_what_is_new(proa_cluster: Cluster) -> None:
    await proa_cluster.apply({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "team"}})
    await proa_cluster.settle()
    stubborn = deployment("team")
    stubborn["spec"]["template"]["metadata"]["annotations"] = {"proa.fake/stop-latency": "5"}
    await proa_cluster.apply(stubborn)
    await proa_cluster.clock.advance("5s")
    assert len(await proa_cluster.all(PODS, "team")) == 3
    await proa_cluster.client.delete(NAMESPACES, "team")
    await proa_cluster.settle()
    with pytest.raises(StatusError, match="because it is being terminated") as refused:
        await proa_cluster.client.create(CONFIG_MAPS, ConfigMap(metadata=ObjectMeta(name="new", namespace="team")))
    assert is_forbidden(refused.value)
    await proa_cluster.clock.advance("60s")
    assert await proa_cluster.get(NAMESPACES, "team") is None
    for resource in (DEPLOYMENTS, REPLICA_SETS, PODS, CONFIG_MAPS):
        assert not await proa_cluster.all(resource, "team")


async def test_a_service_gets_an_address_nobody_else_has_and_gives_it_back(proa_cluster: Cluster) -> None:
    client = proa_cluster.client
    kubernetes = await client.get(SERVICES, "kubernetes", "default")
    assert kubernetes.spec.clusterIP == "10.96.0.1"
    made = [await client.create(SERVICES, service(f"s{number}")) for number in range(20)]
    addresses = {each.spec.clusterIP for each in made}
    assert len(addresses) == 20
    assert all(each.startswith("10.96.") for each in addresses)
    taken = made[0].spec.clusterIP
    with pytest.raises(StatusError, match="provided IP is already allocated") as refused:
        await client.create(SERVICES, service("again", clusterIP=taken))
    assert is_invalid(refused.value)
    await client.delete(SERVICES, "s0", "default")
    again = await client.create(SERVICES, service("again", clusterIP=taken))
    assert again.spec.clusterIP == taken
    public = await client.create(SERVICES, service("public", type="NodePort"))
    assert 30000 <= (public.spec.ports[0].nodePort or 0) <= 32767
    headless = await client.create(SERVICES, service("headless", clusterIP="None"))
    assert headless.spec.clusterIP == "None"


async def test_a_generated_name_is_the_prefix_and_five_letters(proa_cluster: Cluster) -> None:
    wanted = ConfigMap(metadata=ObjectMeta(generateName="job-", namespace="default"))
    names = {(await proa_cluster.client.create(CONFIG_MAPS, wanted)).metadata.name for _ in range(20)}
    assert len(names) == 20
    assert all(each.startswith("job-") and len(each) == 9 for each in names)
    with pytest.raises(StatusError) as refused:
        await proa_cluster.client.create(CONFIG_MAPS, config_map(min(names)))
    assert is_already_exists(refused.value)


async def test_of_two_writers_the_second_must_look_again(proa_cluster: Cluster) -> None:
    client = proa_cluster.client
    first = await client.create(CONFIG_MAPS, config_map("shared", a="1"))
    await client.update(CONFIG_MAPS, msgspec.structs.replace(first, data={"a": "2"}))
    with pytest.raises(StatusError, match="the object has been modified") as refused:
        await client.update(CONFIG_MAPS, msgspec.structs.replace(first, data={"a": "3"}))
    assert is_conflict(refused.value)
    assert (await client.get(CONFIG_MAPS, "shared", "default")).data == {"a": "2"}


async def test_many_writers_at_once_lose_nothing(proa_cluster: Cluster) -> None:
    client = proa_cluster.client
    await client.create(CONFIG_MAPS, config_map("counter", n="0"))
    lost = 0

    async def count() -> None:
        nonlocal lost
        for _ in range(10):
            while True:
                found = await client.get(CONFIG_MAPS, "counter", "default")
                more = msgspec.structs.replace(found, data={"n": str(int(found.data["n"]) + 1)})
                try:
                    await client.update(CONFIG_MAPS, more)
                    break
                except StatusError as error:
                    if not is_conflict(error):
                        raise
                    lost += 1

    await asyncio.gather(*(count() for _ in range(8)))
    assert (await client.get(CONFIG_MAPS, "counter", "default")).data == {"n": "80"}
    assert lost > 0


async def test_a_watch_resumes_where_it_ended_without_a_gap_or_a_repeat(proa_cluster: Cluster) -> None:
    client = proa_cluster.client
    start = (await client.list(CONFIG_MAPS, "default")).resource_version
    for number in range(5):
        await client.create(CONFIG_MAPS, config_map(f"c{number}"))

    async def take(since: str, count: int) -> list[tuple[str, str, str]]:
        seen: list[tuple[str, str, str]] = []
        async for batch in client.watch(CONFIG_MAPS, "default", resource_version=since, bookmarks=False):
            seen += [(each.type, each.object.metadata.name, each.object.metadata.resourceVersion) for each in batch]
            if len(seen) >= count:
                break
        return seen

    first = await take(start, 5)
    assert [(type_, name) for type_, name, _ in first] == [("ADDED", f"c{number}") for number in range(5)]
    await client.patch(CONFIG_MAPS, "c1", "default", {"data": {"a": "b"}}, type="merge")
    await client.delete(CONFIG_MAPS, "c2", "default")
    rest = await take(first[2][2], 4)
    assert [(type_, name) for type_, name, _ in rest] == [
        ("ADDED", "c3"),
        ("ADDED", "c4"),
        ("MODIFIED", "c1"),
        ("DELETED", "c2"),
    ]


async def test_a_pod_the_api_server_refuses_names_every_field(proa_cluster: Cluster) -> None:
    bad = msgspec.convert(
        {
            "metadata": {"name": "Bad", "namespace": "default"},
            "spec": {"containers": [{"name": "main"}], "restartPolicy": "Perhaps"},
        },
        Pod,
    )
    with pytest.raises(StatusError) as refused:
        await proa_cluster.client.create(PODS, bad)
    assert is_invalid(refused.value)
    details = refused.value.status.details
    assert details is not None
    fields = {each.field for each in details.causes}
    assert {"metadata.name", "spec.restartPolicy", "spec.containers[0].image"} <= fields
