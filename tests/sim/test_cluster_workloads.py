"""Workloads on a whole simulated cluster: real controllers, scheduler and kubelets, virtual time."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from proa.aio.clock import virtual_run
from proa.api.apps_v1.resources import DEPLOYMENTS, REPLICA_SETS
from proa.api.core_v1.resources import PODS, REPLICATION_CONTROLLERS
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.machinery.timestamps import to_epoch
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=3)


def deployment(replicas: int = 3, *, image: str = "v1", **spec: Any) -> dict[str, Any]:
    labels = {"app": "web"}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": labels},
            "template": {
                "metadata": {"labels": labels},
                "spec": {"containers": [{"name": "main", "image": image, **spec}]},
            },
        },
    }


SERVICE = {
    "apiVersion": "v1",
    "kind": "Service",
    "metadata": {"name": "web"},
    "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]},
}


def pod(name: str, *, annotations: dict[str, str] | None = None, **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "annotations": annotations or {}},
        "spec": {"containers": [{"name": "main", "image": "v1"}], **spec},
    }


async def available(cluster: Cluster) -> int:
    found = await cluster.get(DEPLOYMENTS, "web")
    return found.status.availableReplicas if found is not None else 0


async def complete(cluster: Cluster, replicas: int = 3) -> bool:
    found = await cluster.get(DEPLOYMENTS, "web")
    assert found is not None
    status = found.status
    counts = {status.replicas, status.updatedReplicas, status.availableReplicas}
    return status.observedGeneration == found.metadata.generation and counts == {replicas}


async def test_a_deployment_reaches_its_replicas_and_they_are_spread(proa_cluster: Cluster) -> None:
    # So much that the next pod is better off on another node; without requests nodes with few pods score alike.
    await proa_cluster.apply(deployment(resources={"requests": {"cpu": "1"}}))
    await proa_cluster.until(lambda: complete(proa_cluster), "10s")
    pods = await proa_cluster.all(PODS)
    assert sorted(each.spec.nodeName for each in pods) == ["simulated-0", "simulated-1", "simulated-2"]
    assert {each.status.phase for each in pods} == {"Running"}
    assert len({each.status.podIP for each in pods}) == 3
    reasons = {each.reason for each in await proa_cluster.events()}
    assert {"ScalingReplicaSet", "SuccessfulCreate", "Scheduled", "Pulled", "Created", "Started"} <= reasons


async def test_a_deleted_pod_is_replaced(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(deployment())
    await proa_cluster.until(lambda: complete(proa_cluster))
    gone = (await proa_cluster.all(PODS))[0]
    await proa_cluster.client.delete(PODS, gone.metadata.name, "default")
    await proa_cluster.clock.advance("40s")
    names = [each.metadata.name for each in await proa_cluster.all(PODS)]
    assert len(names) == 3
    assert gone.metadata.name not in names
    assert await available(proa_cluster) == 3


async def test_a_crashing_container_restarts_at_once_then_after_ten_seconds_and_ever_longer(
    proa_cluster: Cluster,
) -> None:
    starts: list[float] = []
    crashing = {"proa.fake/exit-after": "1", "proa.fake/exit-code": "3"}
    await proa_cluster.apply(pod("crash", annotations=crashing))

    async def look() -> bool:
        found = await proa_cluster.get(PODS, "crash")
        assert found is not None
        for status in found.status.containerStatuses:
            running = status.state.running
            if running is not None and running.startedAt:
                at = to_epoch(running.startedAt)
                if at not in starts:
                    starts.append(at)
        return len(starts) == 6

    await proa_cluster.until(look, "400s")
    waits = [later - earlier - 1 for earlier, later in pairwise(starts)]
    assert waits == [0, 10, 20, 40, 80], "the first restart is immediate"
    found = await proa_cluster.get(PODS, "crash")
    assert found is not None
    (status,) = found.status.containerStatuses
    assert status.restartCount == 5
    assert status.lastState.terminated is not None
    assert status.lastState.terminated.exitCode == 3
    await proa_cluster.clock.advance("2s")
    found = await proa_cluster.get(PODS, "crash")
    assert found is not None
    waiting = found.status.containerStatuses[0].state.waiting
    assert waiting is not None
    assert waiting.reason == "CrashLoopBackOff"
    (told,) = await proa_cluster.events("BackOff")
    assert told.type == "Warning"


async def test_a_failing_liveness_probe_restarts_its_container(proa_cluster: Cluster) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 2, "failureThreshold": 2}
    container = {"name": "main", "image": "v1", "livenessProbe": probe}
    await proa_cluster.apply(pod("sick", containers=[container]))
    await proa_cluster.clock.advance("10s")
    annotate = {"metadata": {"annotations": {"proa.fake/failing-probes": "liveness"}}}
    await proa_cluster.client.patch(PODS, "sick", "default", annotate, type="merge")

    async def restarts() -> int:
        found = await proa_cluster.get(PODS, "sick")
        assert found is not None
        return found.status.containerStatuses[0].restartCount

    assert await restarts() == 0
    assert await proa_cluster.until(restarts, "60s")
    assert [each.reason for each in await proa_cluster.events("Unhealthy")]
    assert [each.reason for each in await proa_cluster.events("Killing")]


async def test_a_failing_readiness_probe_takes_the_endpoint_away_and_passing_brings_it_back(
    proa_cluster: Cluster,
) -> None:
    probe = {"httpGet": {"path": "/", "port": 80}, "periodSeconds": 1, "failureThreshold": 2}
    await proa_cluster.apply([deployment(2, readinessProbe=probe), SERVICE])
    await proa_cluster.until(lambda: complete(proa_cluster, 2))

    async def ready() -> set[str]:
        slices = await proa_cluster.all(ENDPOINT_SLICES, selector="kubernetes.io/service-name=web")
        return {
            each.targetRef.name
            for slice_ in slices
            for each in slice_.endpoints
            if each.conditions and each.conditions.ready and each.targetRef
        }

    names = {each.metadata.name for each in await proa_cluster.all(PODS)}
    assert await ready() == names
    victim = min(names)
    patch: dict[str, Any] = {"metadata": {"annotations": {"proa.fake/failing-probes": "readiness"}}}
    await proa_cluster.client.patch(PODS, victim, "default", patch, type="merge")
    await proa_cluster.clock.advance("4s")
    assert await ready() == names - {victim}
    patch = {"metadata": {"annotations": {"proa.fake/failing-probes": None}}}
    await proa_cluster.client.patch(PODS, victim, "default", patch, type="merge")
    await proa_cluster.clock.advance("4s")
    assert await ready() == names


async def test_a_rolling_update_never_has_fewer_available_than_allowed_and_undo_returns(
    proa_cluster: Cluster,
) -> None:
    wanted = deployment(4)
    wanted["spec"]["strategy"] = {"rollingUpdate": {"maxUnavailable": 1, "maxSurge": 1}}
    await proa_cluster.apply(wanted)
    await proa_cluster.until(lambda: complete(proa_cluster, 4))
    first = {each.metadata.labels["pod-template-hash"] for each in await proa_cluster.all(PODS)}
    fewest, most = 4, 4

    async def look() -> bool:
        nonlocal fewest, most
        pods = [each for each in await proa_cluster.all(PODS) if each.metadata.deletionTimestamp is None]
        ready = [each for each in pods if any(c.type == "Ready" and c.status == "True" for c in each.status.conditions)]
        fewest, most = min(fewest, len(ready)), max(most, len(pods))
        return await complete(proa_cluster, 4)

    async def roll(image: str) -> None:
        patch = {"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}
        await proa_cluster.client.patch(DEPLOYMENTS, "web", "default", patch)
        assert not await complete(proa_cluster, 4)
        await proa_cluster.until(look, "300s")

    await roll("v2")
    assert fewest >= 3
    assert most <= 5
    second = {each.metadata.labels["pod-template-hash"] for each in await proa_cluster.all(PODS)}
    assert len(second) == 1
    assert second != first
    await roll("v1")
    await proa_cluster.clock.advance("60s")
    assert {each.metadata.labels["pod-template-hash"] for each in await proa_cluster.all(PODS)} == first
    sets = await proa_cluster.all(REPLICA_SETS)
    revisions = {each.metadata.annotations["deployment.kubernetes.io/revision"]: each.spec.replicas for each in sets}
    assert revisions == {"2": 0, "3": 4}


def test_the_same_seed_gives_the_same_story() -> None:
    def story(seed: int) -> list[str]:
        async def main(_: Any) -> list[str]:
            async with Cluster(nodes=3, seed=seed) as cluster:
                await cluster.apply([deployment(5), SERVICE])
                await cluster.clock.advance("30s")
                gone = (await cluster.all(PODS))[1].metadata.name
                await cluster.client.delete(PODS, gone, "default")
                await cluster.apply(deployment(6, image="v2"))
                await cluster.clock.advance("2m")
                told = [str(each) for each in await cluster.events()]
                pods = [f"{each.metadata.uid} {each.spec.nodeName}" for each in await cluster.all(PODS)]
                return [*told, *pods]

        return virtual_run(main)

    assert story(7) == story(7)
    assert story(7) != story(8)


async def test_a_replication_controller_keeps_its_pods_and_adopts_and_releases_by_its_plain_selector(
    proa_cluster: Cluster,
) -> None:
    controller = {
        "apiVersion": "v1",
        "kind": "ReplicationController",
        "metadata": {"name": "web"},
        "spec": {
            "replicas": 2,
            "selector": {"app": "web"},
            "template": {
                "metadata": {"labels": {"app": "web"}},
                "spec": {"containers": [{"name": "main", "image": "v1"}]},
            },
        },
    }
    labels = {"app": "web"}
    orphan = pod("orphan")
    orphan["metadata"]["labels"] = labels
    await proa_cluster.apply(orphan)
    await proa_cluster.apply(controller)

    async def ready() -> bool:
        found = await proa_cluster.get(REPLICATION_CONTROLLERS, "web")
        return found is not None and (found.status.replicas, found.status.readyReplicas) == (2, 2)

    await proa_cluster.until(ready)
    adopted = await proa_cluster.get(PODS, "orphan")
    assert adopted is not None
    assert [(each.kind, each.name) for each in adopted.metadata.ownerReferences] == [("ReplicationController", "web")]
    await proa_cluster.client.patch(PODS, "orphan", "default", {"metadata": {"labels": {"app": "free"}}}, type="merge")

    async def replaced() -> bool:
        released = await proa_cluster.get(PODS, "orphan")
        pods = await proa_cluster.all(PODS, selector="app=web")
        return released is not None and not released.metadata.ownerReferences and len(pods) == 2

    await proa_cluster.until(replaced)
