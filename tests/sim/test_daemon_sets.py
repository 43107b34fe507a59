"""DaemonSets on a whole simulated cluster: real controllers, scheduler and kubelets, virtual time."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.apps_v1.resources import CONTROLLER_REVISIONS, DAEMON_SETS
from proa.api.core_v1.resources import NODES, PODS
from proa.testing import Cluster

pytestmark = pytest.mark.proa(virtual_time=True, nodes=3)

LABELS = {"app": "agent"}


def daemon_set(image: str = "v1", *, pod: dict[str, Any] | None = None, **spec: Any) -> dict[str, Any]:
    template = {
        "metadata": {"labels": LABELS},
        "spec": {"containers": [{"name": "main", "image": image}], **(pod or {})},
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "DaemonSet",
        "metadata": {"name": "agent"},
        "spec": {"selector": {"matchLabels": LABELS}, "template": template, **spec},
    }


async def numbers(cluster: Cluster) -> tuple[int, int, int, int]:
    """Desired, current, ready and up to date."""
    found = await cluster.get(DAEMON_SETS, "agent")
    assert found is not None
    status = found.status
    if status.observedGeneration != found.metadata.generation:
        return (-1, -1, -1, -1)
    return (
        status.desiredNumberScheduled,
        status.currentNumberScheduled,
        status.numberReady,
        status.updatedNumberScheduled,
    )


async def is_complete(cluster: Cluster, nodes: int = 3) -> bool:
    return await numbers(cluster) == (nodes, nodes, nodes, nodes)


async def places(cluster: Cluster) -> list[str]:
    return sorted(pod.spec.nodeName for pod in await cluster.all(PODS))


async def test_every_node_has_one_pod_and_a_deleted_one_comes_back(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(daemon_set())
    await proa_cluster.until(lambda: is_complete(proa_cluster), "20s")
    assert await places(proa_cluster) == ["simulated-0", "simulated-1", "simulated-2"]
    (gone, *_) = await proa_cluster.all(PODS)
    await proa_cluster.client.delete(PODS, gone.metadata.name, "default")
    await proa_cluster.clock.advance("40s")
    assert await is_complete(proa_cluster)
    assert gone.metadata.name not in [pod.metadata.name for pod in await proa_cluster.all(PODS)]


async def test_only_nodes_with_the_labels_have_pods_as_labels_change(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(daemon_set(pod={"nodeSelector": {"disk": "fast"}}))
    await proa_cluster.clock.advance("5s")
    assert await places(proa_cluster) == []
    label = {"metadata": {"labels": {"disk": "fast"}}}
    await proa_cluster.client.patch(NODES, "simulated-1", "", label, type="merge")
    await proa_cluster.until(lambda: is_complete(proa_cluster, 1), "20s")
    assert await places(proa_cluster) == ["simulated-1"]
    await proa_cluster.client.patch(NODES, "simulated-1", "", {"metadata": {"labels": {"disk": None}}}, type="merge")
    await proa_cluster.clock.advance("40s")
    assert await places(proa_cluster) == []


async def test_a_cordoned_node_gets_its_daemon_and_a_tainted_one_does_not(proa_cluster: Cluster) -> None:
    await proa_cluster.client.patch(NODES, "simulated-0", "", {"spec": {"unschedulable": True}}, type="merge")
    taint = {"spec": {"taints": [{"key": "mine", "effect": "NoSchedule"}]}}
    await proa_cluster.client.patch(NODES, "simulated-2", "", taint, type="merge")
    await proa_cluster.apply(daemon_set())
    await proa_cluster.until(lambda: is_complete(proa_cluster, 2), "20s")
    assert await places(proa_cluster) == ["simulated-0", "simulated-1"]


async def test_a_new_template_rolls_out_node_by_node_and_can_be_undone_by_its_revision(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(daemon_set(minReadySeconds=5))
    await proa_cluster.until(lambda: is_complete(proa_cluster), "20s")
    await proa_cluster.clock.advance("10s")
    fewest = 3
    await proa_cluster.apply(daemon_set("v2", minReadySeconds=5))

    async def look() -> bool:
        nonlocal fewest
        found = await proa_cluster.get(DAEMON_SETS, "agent")
        assert found is not None
        fewest = min(fewest, found.status.numberAvailable)
        return await is_complete(proa_cluster)

    await proa_cluster.until(look, "300s")
    assert fewest == 2, "maxUnavailable is 1"
    assert {pod.spec.containers[0].image for pod in await proa_cluster.all(PODS)} == {"v2"}
    revisions = sorted(await proa_cluster.all(CONTROLLER_REVISIONS), key=lambda each: each.revision)
    assert [each.revision for each in revisions] == [1, 2]
    assert revisions[0].data is not None
    spelt = msgspec.json.encode(revisions[0].data)
    assert spelt == msgspec.json.encode(revisions[0].data, order="sorted"), "clients compare the bytes"
    undo = {**revisions[0].data}
    await proa_cluster.client.patch(DAEMON_SETS, "agent", "default", undo, type="strategic")
    await proa_cluster.until(lambda: is_complete(proa_cluster), "300s")
    assert {pod.spec.containers[0].image for pod in await proa_cluster.all(PODS)} == {"v1"}
    assert sorted(each.revision for each in await proa_cluster.all(CONTROLLER_REVISIONS)) == [2, 3]


async def test_a_surging_update_starts_the_new_pod_before_the_old_one_goes(proa_cluster: Cluster) -> None:
    surge = {"type": "RollingUpdate", "rollingUpdate": {"maxSurge": 1, "maxUnavailable": 0}}
    await proa_cluster.apply(daemon_set(updateStrategy=surge))
    await proa_cluster.until(lambda: is_complete(proa_cluster), "20s")
    fewest = 3
    await proa_cluster.apply(daemon_set("v2", updateStrategy=surge))

    async def look() -> bool:
        nonlocal fewest
        found = await proa_cluster.get(DAEMON_SETS, "agent")
        assert found is not None
        fewest = min(fewest, found.status.numberAvailable)
        pods = await proa_cluster.all(PODS)
        return len(pods) == 3 and {pod.spec.containers[0].image for pod in pods} == {"v2"}

    await proa_cluster.until(look, "300s")
    assert fewest == 3


async def test_with_on_delete_nothing_moves_until_somebody_deletes(proa_cluster: Cluster) -> None:
    strategy = {"type": "OnDelete"}
    await proa_cluster.apply(daemon_set(updateStrategy=strategy))
    await proa_cluster.until(lambda: is_complete(proa_cluster), "20s")
    await proa_cluster.apply(daemon_set("v2", updateStrategy=strategy))
    await proa_cluster.clock.advance("30s")
    assert {pod.spec.containers[0].image for pod in await proa_cluster.all(PODS)} == {"v1"}
    assert (await numbers(proa_cluster))[3] == 0


async def test_a_daemon_that_ended_is_replaced(proa_cluster: Cluster) -> None:
    await proa_cluster.apply(daemon_set())
    await proa_cluster.until(lambda: is_complete(proa_cluster), "20s")
    (ended, *_) = await proa_cluster.all(PODS)
    failed = {"status": {"phase": "Failed"}}
    await proa_cluster.client.patch(PODS, ended.metadata.name, "default", failed, type="merge", subresource="status")
    await proa_cluster.clock.advance("40s")
    assert ended.metadata.name not in [pod.metadata.name for pod in await proa_cluster.all(PODS)]
    assert await is_complete(proa_cluster)
    assert "FailedDaemonPod" in {each.reason for each in await proa_cluster.events()}
