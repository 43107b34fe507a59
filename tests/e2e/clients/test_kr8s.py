"""kr8s, unmodified: objects that create, wait, exec, scale and label themselves."""

from __future__ import annotations

import asyncio

import kr8s
import pytest
from kr8s.asyncio.objects import ConfigMap, Deployment, Pod
from tests.e2e.kubectl import Kubectl


@pytest.fixture
async def api(kubectl: Kubectl) -> kr8s.asyncio.Api:
    return await kr8s.asyncio.api(kubeconfig=str(kubectl.kubeconfig), namespace=kubectl.namespace)


def template(*command: str) -> dict[str, object]:
    container = {"name": "main", "image": "bb:1", "command": list(command)}
    return {"containers": [container], "terminationGracePeriodSeconds": 0}


async def test_a_pod_waits_for_its_condition_runs_a_command_and_is_deleted(
    api: kr8s.asyncio.Api, kubectl: Kubectl
) -> None:
    metadata = {"name": "sleeper", "namespace": kubectl.namespace}
    document = {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template("sleep", "1000000")}
    pod = await Pod(document, api=api)
    await pod.create()
    await pod.wait("condition=Ready", timeout=30)
    done = await pod.exec(["hostname"])
    assert done.stdout.decode().strip() == "sleeper"
    await pod.delete()
    await pod.wait("delete", timeout=30)
    assert not await pod.exists()


async def test_a_deployment_scales_and_finds_its_pods(api: kr8s.asyncio.Api, kubectl: Kubectl) -> None:
    labels = {"app": "web"}
    document = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": "web", "namespace": kubectl.namespace},
        "spec": {
            "replicas": 1,
            "selector": {"matchLabels": labels},
            "template": {"metadata": {"labels": labels}, "spec": template("sleep", "1000000")},
        },
    }
    deployment = await Deployment(document, api=api)
    await deployment.create()
    await deployment.scale(3)
    async with asyncio.timeout(30):
        async for event, seen in api.watch("deployments", namespace=kubectl.namespace):
            if event != "DELETED" and seen.status.get("readyReplicas") == 3:
                break
    assert len(await deployment.pods()) == 3


async def test_objects_are_selected_labelled_and_annotated(api: kr8s.asyncio.Api, kubectl: Kubectl) -> None:
    for name in ("one", "two"):
        metadata = {"name": name, "namespace": kubectl.namespace}
        document = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"name": name}}
        await (await ConfigMap(document, api=api)).create()
    one = await ConfigMap.get("one", namespace=kubectl.namespace, api=api)
    await one.label(chosen="yes")
    await one.annotate(note="kept")
    found = [
        each.name async for each in api.get("configmaps", namespace=kubectl.namespace, label_selector={"chosen": "yes"})
    ]
    assert found == ["one"]
    await one.refresh()
    assert one.annotations["note"] == "kept"
