from __future__ import annotations

from typing import Any

import msgspec
import pytest

from proa.api.core_v1 import LimitRange, PersistentVolumeClaim, Pod
from proa.rules.limit_ranges import claim_violations, give_defaults, pod_violations


def limit_range(type: str, **item: Any) -> LimitRange:
    return msgspec.convert({"metadata": {"name": "l"}, "spec": {"limits": [{"type": type, **item}]}}, LimitRange)


def pod(*containers: dict[str, Any], init: tuple[dict[str, Any], ...] = ()) -> Pod:
    def all_of(resources: tuple[dict[str, Any], ...], prefix: str) -> list[dict[str, Any]]:
        return [{"name": f"{prefix}{number}", "image": "x", "resources": each} for number, each in enumerate(resources)]

    spec = {"containers": all_of(containers, "c"), "initContainers": all_of(init, "i")}
    return msgspec.convert({"metadata": {"name": "p"}, "spec": spec}, Pod)


def test_a_container_that_says_nothing_gets_the_defaults_and_its_pod_says_so() -> None:
    range_ = limit_range("Container", default={"cpu": "1", "memory": "1Gi"}, defaultRequest={"cpu": "100m"})
    spec: dict[str, Any] = {
        "containers": [{"name": "a"}, {"name": "b", "resources": {"limits": {"cpu": "2"}, "requests": {"cpu": "2"}}}],
        "initContainers": [{"name": "i", "resources": {"limits": {"cpu": "1", "memory": "1"}}}],
    }
    assert give_defaults(range_, spec) == [
        "cpu request for container a",
        "cpu, memory limit for container a",
        "memory limit for container b",
        "cpu request for init container i",
    ]
    assert spec["containers"][0]["resources"] == {"requests": {"cpu": "100m"}, "limits": {"cpu": "1", "memory": "1Gi"}}
    assert spec["containers"][1]["resources"]["limits"] == {"cpu": "2", "memory": "1Gi"}


@pytest.mark.parametrize(
    ("bounds", "resources", "said"),
    [
        ({"min": {"cpu": "1"}}, {}, "minimum cpu usage per Container is 1.  No request is specified"),
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "100m"}},
            "minimum cpu usage per Container is 1, but request is 100m",
        ),
        (
            {"min": {"cpu": "1"}},
            {"requests": {"cpu": "1"}, "limits": {"cpu": "999m"}},
            "minimum cpu usage per Container is 1, but limit is 999m",
        ),
        (
            {"max": {"memory": "1Gi"}},
            {"requests": {"memory": "1"}},
            "maximum memory usage per Container is 1Gi.  No limit is specified",
        ),
        (
            {"max": {"memory": "1Gi"}},
            {"limits": {"memory": "2Gi"}},
            "maximum memory usage per Container is 1Gi, but limit is 2Gi",
        ),
        (
            {"max": {"memory": "1Gi"}},
            {"limits": {"memory": "1Gi"}, "requests": {"memory": "2Gi"}},
            "maximum memory usage per Container is 1Gi, but request is 2Gi",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "3"}, "requests": {"cpu": "1"}},
            "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
        ),
        (
            {"maxLimitRequestRatio": {"cpu": "2"}},
            {"limits": {"cpu": "3"}},
            "cpu max limit to request ratio per Container is 2, but no request is specified or request is 0",
        ),
    ],
)
def test_a_container_out_of_bounds_is_told_which(bounds: Any, resources: Any, said: str) -> None:
    range_ = limit_range("Container", **bounds)
    assert list(pod_violations(range_, pod(resources))) == [said]
    assert list(pod_violations(range_, pod(init=(resources,)))) == [said]


def test_a_pod_is_measured_as_a_whole() -> None:
    range_ = limit_range("Pod", max={"cpu": "1"})
    one, half = {"limits": {"cpu": "1"}}, {"limits": {"cpu": "500m"}}
    assert list(pod_violations(range_, pod(half, half, init=(one,)))) == []
    assert list(pod_violations(range_, pod(one, half))) == ["maximum cpu usage per Pod is 1, but limit is 1500m"]


def test_a_claim_has_bounds_of_its_storage() -> None:
    range_ = limit_range("PersistentVolumeClaim", min={"storage": "1Gi"}, max={"storage": "2Gi"})

    def said(storage: str) -> list[str]:
        spec = {"resources": {"requests": {"storage": storage}}}
        return list(claim_violations(range_, msgspec.convert({"metadata": {}, "spec": spec}, PersistentVolumeClaim)))

    assert said("1500Mi") == []
    assert said("500Mi") == ["minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi"]
    assert said("3Gi") == ["maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi"]
