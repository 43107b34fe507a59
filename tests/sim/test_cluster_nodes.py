"""Nodes of a whole simulated cluster that come, are drained and die, in virtual time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1.resources import NODES, PODS
from proa.api.policy_v1 import Eviction
from proa.machinery.timestamps import to_epoch
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=3)


# So much that the next pod is better off on another node; without requests nodes with few pods score alike.
SPREAD = {"requests": {"cpu": "1"}}


def deployment(replicas: int = 3) -> dict[str, Any]:
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
                "spec": {"containers": [{"name": "main", "image": "v1", "resources": SPREAD}]},
            },
        },
    }


def pod(name: str, **spec: Any) -> dict[str, Any]:
    containers = [{"name": "main", "image": "v1"}]
    return {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": name}, "spec": {"containers": containers, **spec}}


async def ready(cluster: Cluster, name: str) -> str:
    node = await cluster.client.get(NODES, name)
    return next(each.status for each in node.status.conditions if each.type == "Ready")


async def test_a_silent_node_is_unknown_within_a_minute_and_its_pods_go_elsewhere_after_five(
    proa_cluster: Cluster,
) -> None:
    clock = proa_cluster.clock
    await proa_cluster.apply(deployment())
    await clock.advance("60s")
    assert len({each.spec.nodeName for each in await proa_cluster.all(PODS)}) == 3
    await proa_cluster.stop_node("simulated-1")
    died = clock.monotonic()
    await proa_cluster.until(lambda: is_unknown(proa_cluster, "simulated-1"), "90s")
    noticed = clock.monotonic() - died
    assert 30 <= noticed <= 61
    node = await proa_cluster.client.get(NODES, "simulated-1")
    assert ("node.kubernetes.io/unreachable", "NoExecute") in {(each.key, each.effect) for each in node.spec.taints}
    (lost,) = [each for each in await proa_cluster.all(PODS) if each.spec.nodeName == "simulated-1"]
    assert any(each.type == "Ready" and each.status == "False" for each in lost.status.conditions)

    async def evicted() -> bool:
        found = await proa_cluster.get(PODS, lost.metadata.name)
        return found is None or found.metadata.deletionTimestamp is not None

    await clock.advance("280s")
    assert not await evicted()
    await proa_cluster.until(evicted, "60s")
    assert 295 <= clock.monotonic() - died - noticed <= 320
    await clock.advance("10s")
    alive = [each for each in await proa_cluster.all(PODS) if each.metadata.deletionTimestamp is None]
    assert len(alive) == 3
    assert {each.spec.nodeName for each in alive} == {"simulated-0", "simulated-2"}
    assert {each.status.phase for each in alive} == {"Running"}

    await proa_cluster.add_node("simulated-1")
    await clock.advance("60s")
    assert await ready(proa_cluster, "simulated-1") == "True"
    assert not (await proa_cluster.client.get(NODES, "simulated-1")).spec.taints
    assert len(await proa_cluster.all(PODS)) == 3, "the returned node has ended the evicted pod"


async def test_a_pod_no_node_has_room_for_says_so_and_runs_on_a_new_node(proa_cluster: Cluster) -> None:
    large = {"name": "main", "image": "v1", "resources": {"requests": {"cpu": "48"}}}
    await proa_cluster.apply(pod("large", containers=[large]))
    (told,) = await proa_cluster.events("FailedScheduling")
    assert told.message.startswith("0/3 nodes are available: 3 Insufficient cpu.")
    waiting = await proa_cluster.get(PODS, "large")
    assert waiting is not None
    (condition,) = [each for each in waiting.status.conditions if each.type == "PodScheduled"]
    assert (condition.status, condition.reason) == ("False", "Unschedulable")
    await proa_cluster.clock.advance("10s")
    await proa_cluster.add_node("huge", capacity={"cpu": "64"})
    await proa_cluster.clock.advance("15s")
    running = await proa_cluster.get(PODS, "large")
    assert running is not None
    assert (running.spec.nodeName, running.status.phase) == ("huge", "Running")


async def test_a_node_selector_and_taints_say_how_many_nodes_each_rules_out(proa_cluster: Cluster) -> None:
    await proa_cluster.add_node("gpu", labels={"gpu": "yes"}, taints=[taint()])
    await proa_cluster.apply(pod("train", nodeSelector={"gpu": "yes"}))
    await proa_cluster.settle()
    (told,) = await proa_cluster.events("FailedScheduling")
    assert told.message.startswith("0/4 nodes are available: ")
    assert "1 node(s) had untolerated taint" in told.message
    assert "3 node(s) didn't match Pod's node affinity/selector" in told.message
    toleration = {"key": "only", "operator": "Exists"}
    await proa_cluster.apply(pod("allowed", nodeSelector={"gpu": "yes"}, tolerations=[toleration]))
    await proa_cluster.clock.advance("1s")
    found = await proa_cluster.get(PODS, "allowed")
    assert found is not None
    assert found.spec.nodeName == "gpu"


async def test_a_cordoned_node_gets_nothing_and_a_drained_one_is_emptied_gracefully(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(deployment(6))
    await proa_cluster.clock.advance("10s")
    client = proa_cluster.client
    await client.patch(NODES, "simulated-0", "", {"spec": {"unschedulable": True}}, type="merge")
    await proa_cluster.clock.advance("1s")
    node = await client.get(NODES, "simulated-0")
    assert [each.key for each in node.spec.taints] == ["node.kubernetes.io/unschedulable"]
    here = [each for each in await proa_cluster.all(PODS) if each.spec.nodeName == "simulated-0"]
    assert len(here) == 2, "cordoning moves nothing"
    for each in here:
        eviction = msgspec.convert({"metadata": {"name": each.metadata.name, "namespace": "default"}}, Eviction)
        await client.post(PODS, each.metadata.name, "default", "eviction", eviction)
    evicted = await proa_cluster.get(PODS, here[0].metadata.name)
    assert evicted is not None
    assert evicted.metadata.deletionGracePeriodSeconds == 30
    await proa_cluster.clock.advance("40s")
    pods = await proa_cluster.all(PODS)
    assert sorted({each.spec.nodeName for each in pods}) == ["simulated-1", "simulated-2"]
    assert len(pods) == 6
    await client.patch(NODES, "simulated-0", "", {"spec": {"unschedulable": None}}, type="merge")
    await proa_cluster.clock.advance("1s")
    await proa_cluster.apply(deployment(8))
    await proa_cluster.clock.advance("10s")
    assert "simulated-0" in {each.spec.nodeName for each in await proa_cluster.all(PODS)}


async def test_leases_are_renewed_every_ten_seconds(proa_cluster: Cluster) -> None:
    from proa.api.coordination_v1.resources import LEASES

    async def renewed() -> float:
        lease = await proa_cluster.client.get(LEASES, "simulated-0", "kube-node-lease")
        assert lease.spec.renewTime is not None
        return to_epoch(lease.spec.renewTime)

    await proa_cluster.clock.advance("1s")
    before = await renewed()
    await proa_cluster.clock.advance("100s")
    assert await renewed() - before == 100


async def is_unknown(cluster: Cluster, name: str) -> bool:
    return await ready(cluster, name) == "Unknown"


def taint() -> object:
    from proa.api.core_v1 import Taint

    return Taint(key="only", effect="NoSchedule")
