from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import LimitRange, Pod
from proa.api.core_v1.resources import LIMIT_RANGES, PODS
from proa.machinery.status import StatusError


def limit_range(**item: Any) -> LimitRange:
    spec = {"limits": [{"type": "Container", **item}]}
    return msgspec.convert({"metadata": {"name": "l", "namespace": "default"}, "spec": spec}, LimitRange)


def pod(name: str, **resources: Any) -> Pod:
    container = {"name": "main", "image": "x", "resources": resources}
    document = {"metadata": {"name": name, "namespace": "default"}, "spec": {"containers": [container]}}
    return msgspec.convert(document, Pod)


def test_containers_get_defaults_and_must_keep_to_the_bounds_of_their_namespace(simulate: Any) -> None:
    async def body(plane: Any) -> None:
        bounds = await plane.client.create(LIMIT_RANGES, limit_range(max={"cpu": "1"}, min={"cpu": "100m"}))
        assert bounds.spec.limits[0].default == {"cpu": "1"}
        assert bounds.spec.limits[0].defaultRequest == {"cpu": "1"}
        await plane.clock.settle()
        made = await plane.client.create(PODS, pod("a"))
        assert made.spec.containers[0].resources.requests == {"cpu": "1"}
        said = "LimitRanger plugin set: cpu request for container main; cpu limit for container main"
        assert made.metadata.annotations["kubernetes.io/limit-ranger"] == said
        with pytest.raises(StatusError, match='pods "b" is forbidden: maximum cpu usage per Container is 1, but limit'):
            await plane.client.create(PODS, pod("b", limits={"cpu": "2"}, requests={"cpu": "1"}))

    simulate(body)


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ({"min": {"cpu": "2"}, "max": {"cpu": "1"}}, "min value 2 is greater than max value 1"),
        ({"maxLimitRequestRatio": {"cpu": "500m"}}, "ratio 500m is less than 1"),
        ({"max": {"bananas": "1"}}, "must be a standard resource type or fully qualified"),
    ],
)
def test_bounds_that_contradict_each_other_are_refused(simulate: Any, item: dict[str, Any], said: str) -> None:
    async def body(plane: Any) -> None:
        with pytest.raises(StatusError, match=said):
            await plane.client.create(LIMIT_RANGES, limit_range(**item))

    simulate(body)
