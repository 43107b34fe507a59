from __future__ import annotations

from typing import Any

import pytest

from proa.api.core_v1 import Node
from proa.api.core_v1.resources import NODES, PODS
from proa.apiserver.plugins.context import PluginContext
from proa.apiserver.plugins.node_declared_feature_validator import NodeDeclaredFeatureValidator
from proa.apiserver.plugins.pod_resize_validator import PodResizeValidator
from proa.machinery.status import StatusError

from .conftest import current, made, passed, write


def pod(cpu: str, node: str = "n") -> dict[str, Any]:
    resources = {"requests": {"cpu": cpu}}
    spec = {"nodeName": node, "containers": [{"name": "c", "image": "x", "resources": resources}]}
    return {"metadata": {"name": "p"}, "spec": spec}


@pytest.mark.parametrize(
    ("cpu", "node", "said", "reason"),
    [
        ("2", "n", "", ""),
        ("5", "n", "didn't have enough allocatable resources: cpu, requested: 5000, allocatable: 4000", "NodeCapacity"),
        ("2", "w", 'only supported on linux nodes, node "w" is "windows"', "UnsupportedPlatform"),
        ("2", "gone", 'node "gone" not found', ""),
    ],
)
async def test_a_pod_is_not_resized_beyond_its_node(
    context: PluginContext, cpu: str, node: str, said: str, reason: str
) -> None:
    plugin = PodResizeValidator(context)
    allocatable = {"allocatable": {"cpu": "4", "memory": "1Gi"}}
    for name, system in (("n", "linux"), ("w", "windows")):
        await context.client.create(NODES, made(Node, name, metadata={"labels": {"kubernetes.io/os": system}}))
        await context.client.patch(NODES, name, "", {"status": allocatable}, subresource="status")
    await current(context)
    attributes = write(PODS, pod(cpu, node), "UPDATE", old=pod("1", node), subresource="resize")
    if not said:
        await passed(plugin.validate(attributes))
        return
    with pytest.raises(StatusError, match=said) as caught:
        await passed(plugin.validate(attributes))
    details = caught.value.status.details
    assert details is not None
    assert [each.reason for each in details.causes] == ([reason] if reason else [])


def with_init(cpu: str) -> dict[str, Any]:
    document = pod("1")
    resources = {"requests": {"cpu": cpu}}
    document["spec"]["initContainers"] = [{"name": "i", "image": "x", "resources": resources}]
    return document


@pytest.mark.parametrize("declared", [True, False])
async def test_a_pod_is_not_changed_into_what_its_node_cannot_do(context: PluginContext, declared: bool) -> None:
    plugin = NodeDeclaredFeatureValidator(context)
    await context.client.create(NODES, made(Node, "n"))
    feature = "InPlacePodVerticalScalingInitContainers"
    status = {"status": {"declaredFeatures": [feature] if declared else []}}
    await context.client.patch(NODES, "n", "", status, type="merge", subresource="status")
    await current(context)
    await passed(plugin.validate(write(PODS, pod("2"), "UPDATE", old=pod("1"), subresource="resize")))
    attributes = write(PODS, with_init("2"), "UPDATE", old=with_init("1"), subresource="resize")
    if declared:
        await passed(plugin.validate(attributes))
    else:
        with pytest.raises(StatusError, match=f'requires features {feature} which are not available on node "n"'):
            await passed(plugin.validate(attributes))
