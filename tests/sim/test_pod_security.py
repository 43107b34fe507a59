from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.apps_v1 import Deployment
from proa.api.apps_v1.resources import DEPLOYMENTS
from proa.api.core_v1 import Namespace, Pod
from proa.api.core_v1.resources import NAMESPACES, PODS
from proa.machinery.status import StatusError

PREFIX = "pod-security.kubernetes.io/"


def namespace(name: str, **labels: str) -> Namespace:
    said = {PREFIX + mode: level for mode, level in labels.items()}
    return msgspec.convert({"metadata": {"name": name, "labels": said}}, Namespace)


def pod(name: str, inside: str, **spec: Any) -> Pod:
    document = {"metadata": {"name": name, "namespace": inside}}
    return msgspec.convert({**document, "spec": {"containers": [{"name": "c", "image": "x"}], **spec}}, Pod)


def test_a_pod_that_does_not_keep_to_its_namespaces_level_is_refused(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        await plane.client.create(NAMESPACES, namespace("strict", enforce="baseline"))
        await plane.until(lambda: plane.clock.monotonic() > 1)
        await plane.client.create(PODS, pod("fine", "strict"))
        why = 'pods "bad" is forbidden: violates PodSecurity "baseline:latest": host namespaces \\(hostPID=true\\)'
        with pytest.raises(StatusError, match=why):
            await plane.client.create(PODS, pod("bad", "strict", hostPID=True))
        await plane.client.create(PODS, pod("elsewhere", "default", hostPID=True))
        template = {"metadata": {"labels": {"a": "b"}}, "spec": pod("x", "").spec}
        spec = {"selector": {"matchLabels": {"a": "b"}}, "template": msgspec.to_builtins(template)}
        spec["template"]["spec"]["hostPID"] = True
        meta = {"name": "d", "namespace": "strict"}
        await plane.client.create(DEPLOYMENTS, msgspec.convert({"metadata": meta, "spec": spec}, Deployment))

    simulate(body)


def test_a_level_that_does_not_exist_is_refused(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        with pytest.raises(StatusError, match="must be one of privileged, baseline, restricted") as caught:
            await plane.client.create(NAMESPACES, namespace("odd", enforce="strict"))
        assert caught.value.code == 422

    simulate(body)
