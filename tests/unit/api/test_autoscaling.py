from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from proa.api.autoscaling_v1.resources import HORIZONTAL_POD_AUTOSCALERS as OLDER
from proa.api.autoscaling_v2.resources import HORIZONTAL_POD_AUTOSCALERS
from tests.unit.api.writing import create_errors, defaulted, update_errors

Document = dict[str, Any]
TARGET = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}


def autoscaler(**spec: Any) -> Document:
    return {"metadata": {"name": "a"}, "spec": {"scaleTargetRef": TARGET, "maxReplicas": 3, **spec}}


def metric(kind: str, field: str, target: Document, **source: Any) -> Document:
    return {"metrics": [{"type": kind, field: {**source, "target": target}}]}


def resource(**target: Any) -> Document:
    return metric("Resource", "resource", {"type": "Utilization", **target}, name="cpu")


def pods(**target: Any) -> Document:
    return metric("Pods", "pods", {"type": "AverageValue", **target}, metric={"name": "rate"})


def scaling(**rules: Any) -> Document:
    return {"behavior": {"scaleUp": rules}}


POLICY = {"type": "Pods", "value": 1, "periodSeconds": 60}


def check(found: list[str], error: str) -> None:
    """The first error has this in it; none where there is nothing to say."""
    assert [error in each for each in found[:1]] == ([True] if error else []), found


def test_an_autoscaler_watches_the_cpu_by_default() -> None:
    spec = defaulted(HORIZONTAL_POD_AUTOSCALERS, autoscaler())["spec"]
    assert spec["minReplicas"] == 1
    assert spec["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    ]
    assert "behavior" not in spec


def test_a_behavior_is_completed_on_both_sides() -> None:
    behavior = defaulted(HORIZONTAL_POD_AUTOSCALERS, autoscaler(**scaling(selectPolicy="Min")))["spec"]["behavior"]
    assert behavior["scaleUp"]["selectPolicy"] == "Min"
    assert [each["type"] for each in behavior["scaleUp"]["policies"]] == ["Pods", "Percent"]
    assert behavior["scaleDown"] == {
        "selectPolicy": "Max",
        "policies": [{"type": "Percent", "value": 100, "periodSeconds": 15}],
    }


@pytest.mark.parametrize(
    ("spec", "error"),
    [
        ({}, ""),
        (resource(averageUtilization=50), ""),
        (pods(averageValue="10"), ""),
        (scaling(policies=[POLICY], tolerance="100m"), ""),
        ({"scaleTargetRef": {"kind": "ReplicationController", "name": "a", "apiVersion": "v1"}}, ""),
        ({"minReplicas": 0}, "spec.minReplicas: Invalid value: 0: must be greater than or equal to 1"),
        ({"maxReplicas": 0}, "spec.maxReplicas: Required value: must be set and greater than 0"),
        ({"minReplicas": 5}, "spec.maxReplicas: Invalid value: 3: must be greater than or equal to `minReplicas`"),
        ({"scaleTargetRef": {**TARGET, "kind": ""}}, "spec.scaleTargetRef.kind: Required value"),
        ({"scaleTargetRef": {**TARGET, "name": "a/b"}}, "spec.scaleTargetRef.name: Invalid value:"),
        ({"scaleTargetRef": {**TARGET, "apiVersion": "v1"}}, "apiVersion must specify API group"),
        ({"scaleTargetRef": {**TARGET, "apiVersion": "a/b/c"}}, "unexpected GroupVersion string: a/b/c"),
        (
            resource(),
            "spec.metrics[0].resource.target.averageUtilization: Required value: must set either a target raw",
        ),
        (
            resource(averageUtilization=0),
            "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be",
        ),
        (
            resource(averageUtilization=1, averageValue="1"),
            "may not set both a target raw value and a target utilization",
        ),
        (resource(averageUtilization=1, type="Odd"), "must be either Utilization, Value, or AverageValue"),
        (
            pods(),
            "spec.metrics[0].pods.target.averageValue: Required value: must specify a positive target averageValue",
        ),
        (pods(averageValue="0"), 'spec.metrics[0].pods.target.averageValue: Invalid value: "0": must be positive'),
        (
            {"metrics": [{"type": "Pods"}]},
            "spec.metrics[0].pods: Required value: must populate information for the given",
        ),
        (
            {"metrics": [{**pods(averageValue="1")["metrics"][0], **resource(averageUtilization=1)["metrics"][0]}]},
            "spec.metrics[0].pods: Forbidden: must populate the given metric source only",
        ),
        (
            metric("External", "external", {"type": "Value"}, metric={"name": "a"}),
            "must set either a target value for metric or a per-pod target",
        ),
        (
            metric(
                "ContainerResource", "containerResource", {"type": "Utilization", "averageUtilization": 1}, name="cpu"
            ),
            "spec.metrics[0].containerResource.container: Required value: must specify a container",
        ),
        (
            metric("Object", "object", {"type": "Value", "value": "1"}, metric={"name": ""}, describedObject=TARGET),
            "spec.metrics[0].object.metric.name: Required value: must specify a metric name",
        ),
        (scaling(policies=[]), "spec.behavior.scaleUp.policies: Required value: must specify at least one Policy"),
        (scaling(policies=[{**POLICY, "value": 0}]), "policies[0].value: Invalid value: 0: must be greater than zero"),
        (scaling(policies=[{**POLICY, "periodSeconds": 1801}]), "must be less than or equal to 1800"),
        (scaling(stabilizationWindowSeconds=3601), "must be less than or equal to 3600"),
        (scaling(tolerance="-1"), "spec.behavior.scaleUp.tolerance: Invalid value:"),
    ],
)
def test_an_autoscaler(spec: Document, error: str) -> None:
    check(create_errors(HORIZONTAL_POD_AUTOSCALERS, autoscaler(**deepcopy(spec))), error)


def test_a_target_that_was_stored_before_is_not_asked_for_its_group_again() -> None:
    old = autoscaler(scaleTargetRef={**TARGET, "apiVersion": "v1"})
    assert update_errors(HORIZONTAL_POD_AUTOSCALERS, old, {**deepcopy(old), "status": {"desiredReplicas": 2}}) == []


def test_replicas_in_a_status_are_none_or_more() -> None:
    found = update_errors(HORIZONTAL_POD_AUTOSCALERS, autoscaler(), {**autoscaler(), "status": {"desiredReplicas": -1}})
    check(found, "status.desiredReplicas: Invalid value: -1")


def test_the_older_version_obeys_the_same_rules() -> None:
    assert create_errors(OLDER, autoscaler(targetCPUUtilizationPercentage=50)) == []
    check(create_errors(OLDER, autoscaler(maxReplicas=0)), "spec.maxReplicas: Required value")
    found = create_errors(OLDER, autoscaler(targetCPUUtilizationPercentage=0))
    check(found, "spec.metrics[0].resource.target.averageUtilization: Invalid value: 0: must be greater than 0")
