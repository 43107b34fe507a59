"""lightkube, unmodified: typed models, server-side apply, patch types, watch and wait."""

from __future__ import annotations

import pytest
from lightkube import ApiError, AsyncClient, Client, KubeConfig
from lightkube.models.apps_v1 import DeploymentSpec
from lightkube.models.core_v1 import Container, PodSpec, PodTemplateSpec
from lightkube.models.meta_v1 import LabelSelector, ObjectMeta
from lightkube.resources.apps_v1 import Deployment
from lightkube.resources.core_v1 import ConfigMap, Pod
from lightkube.types import PatchType
from tests.e2e.kubectl import Kubectl


def settings(kubectl: Kubectl) -> KubeConfig:
    return KubeConfig.from_file(kubectl.kubeconfig)


def deployment(replicas: int) -> Deployment:
    labels = {"app": "web"}
    container = Container(name="main", image="bb:1", command=["sleep", "1000000"])
    template = PodTemplateSpec(
        metadata=ObjectMeta(labels=labels), spec=PodSpec(containers=[container], terminationGracePeriodSeconds=0)
    )
    spec = DeploymentSpec(replicas=replicas, selector=LabelSelector(matchLabels=labels), template=template)
    return Deployment(metadata=ObjectMeta(name="web"), spec=spec)


async def test_a_deployment_is_applied_and_waited_for(kubectl: Kubectl) -> None:
    client = AsyncClient(config=settings(kubectl), namespace=kubectl.namespace, field_manager="tests")
    try:
        await client.apply(deployment(2))
        ready = await client.wait(Deployment, "web", for_conditions=["Available"])
        assert ready.status.availableReplicas == 2
        pods = [each async for each in client.list(Pod, labels={"app": "web"})]
        assert {each.status.phase for each in pods} == {"Running"}
        again = await client.apply(deployment(2))
        assert again.metadata.generation == ready.metadata.generation, "applying the same changes nothing"
    finally:
        await client.close()


def test_patches_of_every_type_and_errors(kubectl: Kubectl) -> None:
    client = Client(config=settings(kubectl), namespace=kubectl.namespace, field_manager="tests")
    client.create(ConfigMap(metadata=ObjectMeta(name="map"), data={"a": "1"}))
    client.patch(ConfigMap, "map", {"data": {"b": "2"}}, patch_type=PatchType.STRATEGIC)
    client.patch(ConfigMap, "map", {"data": {"a": None}}, patch_type=PatchType.MERGE)
    operations = [{"op": "add", "path": "/data/c", "value": "3"}]
    changed = client.patch(ConfigMap, "map", operations, patch_type=PatchType.JSON)
    assert changed.data == {"b": "2", "c": "3"}
    with pytest.raises(ApiError) as missing:
        client.get(ConfigMap, "absent")
    assert (missing.value.status.code, missing.value.status.reason) == (404, "NotFound")
    client.delete(ConfigMap, "map")
