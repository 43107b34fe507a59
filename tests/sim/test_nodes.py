"""Nodes that fall silent, come back, drain and disappear, and the pods on them."""

from __future__ import annotations

from typing import Any

import msgspec

from proa.api.apps_v1 import Deployment
from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1 import Pod
from proa.api.core_v1.resources import EVENTS, NODES, PODS
from proa.controllers.settings import Settings


def deployment(replicas: int) -> Deployment:
    return msgspec.convert(
        {
            "metadata": {"name": "web", "namespace": "default"},
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": "web"}},
                "template": {
                    "metadata": {"labels": {"app": "web"}},
                    "spec": {"containers": [{"name": "main", "image": "v1"}]},
                },
            },
        },
        Deployment,
    )


def condition(obj: Any, type: str) -> Any:
    return next((each for each in obj.status.conditions if each.type == type), None)


def taints(node: Any) -> set[tuple[str, str]]:
    return {(taint.key, taint.effect) for taint in node.spec.taints}


UNREACHABLE = {
    ("node.kubernetes.io/unreachable", "NoSchedule"),
    ("node.kubernetes.io/unreachable", "NoExecute"),
}


def test_the_pods_of_a_dead_node_are_evicted_and_replaced(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(6))
        await plane.clock.advance(10)
        lost = {pod.metadata.name for pod in await plane.all(PODS) if pod.spec.nodeName == "node-a"}
        assert len(lost) == 2
        plane.pods.dead.add("node-a")
        plane.pods.nodes.remove("node-a")
        await plane.clock.advance(45)
        assert condition(await plane.get(NODES, "node-a", ""), "Ready").status == "True", "still in its grace"
        await plane.clock.advance(20)
        node = await plane.get(NODES, "node-a", "")
        ready = condition(node, "Ready")
        assert (ready.status, ready.reason) == ("Unknown", "NodeStatusUnknown")
        assert taints(node) == UNREACHABLE
        assert (await plane.get(NODES, "node-b", "")).spec.taints == ()
        for pod in await plane.all(PODS):
            assert condition(pod, "Ready").status == ("False" if pod.metadata.name in lost else "True")
        await plane.clock.advance(310)  # the default tolerationSeconds is 300
        pods = await plane.all(PODS)
        going = {pod.metadata.name for pod in pods if pod.metadata.deletionTimestamp}
        assert going == lost, "their kubelet never confirms"
        assert all(condition(pod, "DisruptionTarget").reason == "DeletionByTaintManager"
                   for pod in pods if pod.metadata.name in lost)  # fmt: skip
        assert len(pods) - len(going) == 6
        assert {pod.spec.nodeName for pod in pods if pod.metadata.name not in lost} == {"node-b", "node-c"}
        reasons = {event.reason for event in await plane.all(EVENTS)}
        assert {"NodeNotReady", "TaintManagerEviction"} <= reasons

    simulate(body)


def test_a_node_that_comes_back_in_time_keeps_its_pods(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(3))
        await plane.clock.advance(10)
        before = {pod.metadata.uid for pod in await plane.all(PODS)}
        plane.pods.dead.add("node-a")
        await plane.clock.advance(120)
        assert taints(await plane.get(NODES, "node-a", "")) == UNREACHABLE
        plane.pods.dead.discard("node-a")
        status = {
            "status": {"conditions": [{"type": "Ready", "status": "True", "lastHeartbeatTime": "2026-01-01T00:03:00Z"}]}
        }
        await plane.client.patch(NODES, "node-a", "", status, type="strategic", subresource="status")
        await plane.clock.advance(5)
        assert (await plane.get(NODES, "node-a", "")).spec.taints == ()
        plane.pods._scope.spawn(plane.pods._beat("node-a"), name="heart")
        await plane.clock.advance(400)
        assert {pod.metadata.uid for pod in await plane.all(PODS)} == before

    simulate(body)


def test_when_every_node_is_silent_nobody_is_evicted(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(3))
        await plane.clock.advance(10)
        plane.pods.dead |= {"node-a", "node-b", "node-c"}
        await plane.clock.advance(600)
        for node in await plane.all(NODES, ""):
            assert condition(node, "Ready").status == "Unknown"
            assert ("node.kubernetes.io/unreachable", "NoSchedule") in taints(node)
            assert ("node.kubernetes.io/unreachable", "NoExecute") not in taints(node)
        assert not any(pod.metadata.deletionTimestamp for pod in await plane.all(PODS))

    simulate(body)


def test_a_cordoned_node_gets_its_taint_and_loses_it_again(simulate):
    async def body(plane):
        await plane.client.patch(NODES, "node-b", "", {"spec": {"unschedulable": True}}, type="merge")
        await plane.clock.advance(2)
        expected = {("node.kubernetes.io/unschedulable", "NoSchedule")}
        assert taints(await plane.get(NODES, "node-b", "")) == expected
        await plane.client.patch(NODES, "node-b", "", {"spec": {"unschedulable": False}}, type="merge")
        await plane.clock.advance(2)
        assert taints(await plane.get(NODES, "node-b", "")) == set()

    simulate(body)


def test_the_pods_of_a_removed_node_are_failed_and_deleted(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(3))
        await plane.clock.advance(10)
        plane.pods.dead.add("node-a")
        plane.pods.nodes.remove("node-a")
        await plane.client.delete(NODES, "node-a", "")
        await plane.clock.advance(60)
        pods = await plane.all(PODS)
        assert len(pods) == 3
        assert {pod.spec.nodeName for pod in pods} == {"node-b", "node-c"}

    simulate(body)


def test_a_pod_that_tolerates_nothing_leaves_a_tainted_node_at_once(simulate):
    async def body(plane):
        await plane.client.create(DEPLOYMENTS, deployment(3))
        await plane.clock.advance(10)
        taint = {"key": "dedicated", "value": "db", "effect": "NoExecute"}
        plane.pods.nodes.remove("node-c")
        await plane.client.patch(NODES, "node-c", "", {"spec": {"taints": [taint]}}, type="merge")
        await plane.clock.advance(10)
        pods = await plane.all(PODS)
        assert len(pods) == 3
        assert "node-c" not in {pod.spec.nodeName for pod in pods}

    simulate(body)


def test_every_node_gets_its_share_of_the_pod_network_and_gives_it_back(simulate):
    async def body(plane):
        await plane.clock.advance(2)
        shares = {node.metadata.name: node.spec.podCIDR for node in await plane.all(NODES, "")}
        assert sorted(shares.values()) == ["10.244.0.0/24", "10.244.1.0/24", "10.244.2.0/24"]
        assert (await plane.get(NODES, "node-a", "")).spec.podCIDRs == (shares["node-a"],)
        await plane.client.delete(NODES, "node-b", "")
        await plane.clock.advance(1)
        await plane.pods.add_node("node-d")
        await plane.clock.advance(1)
        assert (await plane.get(NODES, "node-d", "")).spec.podCIDR == shares["node-b"]

    simulate(body, Settings(root_ca="PEM", cluster_cidrs=("10.244.0.0/16",)))


def test_the_oldest_ended_pods_beyond_the_threshold_are_forgotten(simulate):
    async def body(plane):
        for number in range(5):
            pod = msgspec.convert(
                {
                    "metadata": {"name": f"job-{number}", "namespace": "default"},
                    "spec": {"containers": [{"name": "main", "image": "broken"}]},
                },
                Pod,
            )
            await plane.client.create(PODS, pod)
            await plane.clock.advance(2)
            status = {"status": {"phase": "Succeeded"}}
            await plane.client.patch(PODS, f"job-{number}", "default", status, type="merge", subresource="status")
        await plane.clock.advance(2)
        assert [pod.metadata.name for pod in await plane.all(PODS)] == ["job-2", "job-3", "job-4"]

    simulate(body, Settings(terminated_pods=3))
