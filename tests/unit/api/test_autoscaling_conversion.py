"""autoscaling/v1 autoscalers, stored as autoscaling/v2 ones."""

from __future__ import annotations

import json
from typing import Any

import pytest

from proa.api.autoscaling_v1.conversion import to_v1, to_v2

Document = dict[str, Any]
PREFIX = "autoscaling.alpha.kubernetes.io/"
TARGET = {"kind": "Deployment", "name": "web", "apiVersion": "apps/v1"}
CPU = {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 50}}}
SELECTOR = {"matchLabels": {"a": "b"}}

METRICS: list[Document] = [
    {"type": "Resource", "resource": {"name": "memory", "target": {"type": "AverageValue", "averageValue": "1Gi"}}},
    {
        "type": "ContainerResource",
        "containerResource": {
            "name": "cpu",
            "container": "main",
            "target": {"type": "Utilization", "averageUtilization": 70},
        },
    },
    {
        "type": "Pods",
        "pods": {
            "metric": {"name": "rate", "selector": SELECTOR},
            "target": {"type": "AverageValue", "averageValue": "10"},
        },
    },
    {
        "type": "Object",
        "object": {
            "describedObject": TARGET,
            "metric": {"name": "rate"},
            "target": {"type": "Value", "value": "2k"},
        },
    },
    {
        "type": "Object",
        "object": {
            "describedObject": TARGET,
            "metric": {"name": "rate"},
            "target": {"type": "AverageValue", "averageValue": "3"},
        },
    },
    {
        "type": "External",
        "external": {"metric": {"name": "queue", "selector": SELECTOR}, "target": {"type": "Value", "value": "30"}},
    },
    {
        "type": "External",
        "external": {"metric": {"name": "queue"}, "target": {"type": "AverageValue", "averageValue": "30"}},
    },
]
STATUSES: list[Document] = [
    {"type": "Resource", "resource": {"name": "cpu", "current": {"averageValue": "20m", "averageUtilization": 40}}},
    {"type": "Pods", "pods": {"metric": {"name": "rate"}, "current": {"averageValue": "9"}}},
    {
        "type": "Object",
        "object": {
            "describedObject": TARGET,
            "metric": {"name": "rate"},
            "current": {"value": "1", "averageValue": "2"},
        },
    },
    {"type": "External", "external": {"metric": {"name": "queue"}, "current": {"value": "8"}}},
    {
        "type": "ContainerResource",
        "containerResource": {"name": "cpu", "container": "c", "current": {"averageValue": "5"}},
    },
]


def newer(**spec: Any) -> Document:
    return {
        "apiVersion": "autoscaling/v2",
        "kind": "HorizontalPodAutoscaler",
        "metadata": {"name": "web", "annotations": {"mine": "kept"}},
        "spec": {"scaleTargetRef": TARGET, "minReplicas": 1, "maxReplicas": 3, "metrics": [CPU], **spec},
        "status": {"currentReplicas": 1, "desiredReplicas": 2, "currentMetrics": []},
    }


def test_the_cpu_is_a_field_of_the_older_version() -> None:
    older = to_v1(newer())
    assert older["apiVersion"] == "autoscaling/v1"
    assert older["spec"] == {
        "scaleTargetRef": TARGET,
        "minReplicas": 1,
        "maxReplicas": 3,
        "targetCPUUtilizationPercentage": 50,
    }
    assert older["metadata"]["annotations"] == {"mine": "kept"}
    assert to_v2(older) == newer()


@pytest.mark.parametrize("metric", METRICS, ids=lambda each: each["type"])
def test_another_metric_travels_in_an_annotation(metric: Document) -> None:
    older = to_v1(newer(metrics=[metric, CPU]))
    (travelling,) = json.loads(older["metadata"]["annotations"][PREFIX + "metrics"])
    assert travelling["type"] == metric["type"]
    assert to_v2(older) == newer(metrics=[metric, CPU])


def test_an_annotation_spells_a_metric_as_the_older_version_does() -> None:
    older = to_v1(newer(metrics=[METRICS[3]]))
    assert json.loads(older["metadata"]["annotations"][PREFIX + "metrics"]) == [
        {"type": "Object", "object": {"target": TARGET, "metricName": "rate", "targetValue": "2k"}}
    ]


def test_what_is_seen_and_the_conditions_travel_too() -> None:
    conditions = [{"type": "AbleToScale", "status": "True", "reason": "Ready"}]
    document = newer()
    document["status"] |= {"currentMetrics": STATUSES, "conditions": conditions}
    older = to_v1(document)
    assert older["status"] == {"currentReplicas": 1, "desiredReplicas": 2, "currentCPUUtilizationPercentage": 40}
    assert to_v2(older) == document


def test_behavior_is_spelled_with_capitals_in_its_annotation() -> None:
    behavior = {"scaleUp": {"selectPolicy": "Max", "policies": [{"type": "Pods", "value": 4, "periodSeconds": 15}]}}
    older = to_v1(newer(behavior=behavior))
    assert json.loads(older["metadata"]["annotations"][PREFIX + "behavior"]) == {
        "ScaleUp": {"SelectPolicy": "Max", "Policies": [{"Type": "Pods", "Value": 4, "PeriodSeconds": 15}]}
    }
    assert to_v2(older) == newer(behavior=behavior)


def test_an_older_autoscaler_without_metrics_watches_the_cpu() -> None:
    older = to_v1(newer())
    del older["spec"]["targetCPUUtilizationPercentage"]
    assert to_v2(older)["spec"]["metrics"] == [
        {"type": "Resource", "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}}}
    ]


@pytest.mark.parametrize("text", ["", "{", "3", '{"a": 1}', "[1]", '[{"odd": 1}]', '[{"type": 3}]'])
def test_a_malformed_annotation_says_nothing(text: str) -> None:
    older = to_v1(newer())
    for each in ("metrics", "current-metrics", "conditions", "behavior"):
        older["metadata"]["annotations"][PREFIX + each] = text
    assert to_v2(older) == newer()
