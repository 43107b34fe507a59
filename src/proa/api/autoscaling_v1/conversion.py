"""autoscaling/v1 autoscalers as autoscaling/v2 ones, which is how they are stored, and back.

What the older version has no field for travels in annotations that exist only there: metrics other than the CPU, what
is seen of them, behavior and conditions. Malformed annotations are ignored: anybody may have written them. Not here:
defaults and validation.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from proa.api.autoscaling_v2.horizontal_pod_autoscaler import (
    HorizontalPodAutoscalerBehavior,
    HorizontalPodAutoscalerCondition,
)
from proa.api.autoscaling_v2.metrics import MetricSpec, MetricStatus
from proa.api.autoscaling_v2.strategies import DEFAULT_METRICS
from proa.machinery.columns import dig

Document = dict[str, Any]

_LIST = list[Document]
_PREFIX = "autoscaling.alpha.kubernetes.io/"
_METRICS = _PREFIX + "metrics"
_CURRENT_METRICS = _PREFIX + "current-metrics"
_CONDITIONS = _PREFIX + "conditions"
_BEHAVIOR = _PREFIX + "behavior"
_TRAVELLING = (
    _METRICS,
    _CURRENT_METRICS,
    _CONDITIONS,
    _BEHAVIOR,
    _PREFIX + "scale-down-tolerance",
    _PREFIX + "scale-up-tolerance",
)


def to_v2(document: Mapping[str, Any]) -> Document:
    """The autoscaling/v2 document of an autoscaling/v1 one."""
    annotations = (document.get("metadata") or {}).get("annotations") or {}
    spec, status = dict(document.get("spec") or {}), dict(document.get("status") or {})
    cpu = spec.pop("targetCPUUtilizationPercentage", None)
    others = [_metric_to_v2(each, _SOURCES) for each in _parsed(annotations.get(_METRICS), _LIST) or ()]
    metrics = _shaped(others, list[MetricSpec]) or []
    metrics += [] if cpu is None else [_cpu("target", {"type": "Utilization", "averageUtilization": cpu})]
    spec["metrics"] = metrics or [*DEFAULT_METRICS]
    said = _recased(_parsed(annotations.get(_BEHAVIOR), Document), _lower)
    behavior = _shaped(said, HorizontalPodAutoscalerBehavior)
    if behavior:
        spec["behavior"] = behavior
    seen = status.pop("currentCPUUtilizationPercentage", None)
    travelled = [_metric_to_v2(each, _STATUSES) for each in _parsed(annotations.get(_CURRENT_METRICS), _LIST) or ()]
    current = _shaped(travelled, list[MetricStatus])
    if not current and seen is not None:
        current = [_cpu("current", {"averageUtilization": seen})]
    if current:
        status["currentMetrics"] = current
    conditions = _shaped(_parsed(annotations.get(_CONDITIONS), _LIST), list[HorizontalPodAutoscalerCondition])
    if conditions:
        status["conditions"] = conditions
    status = {"desiredReplicas": 0, "currentMetrics": [], **status}
    return _rebuilt(document, "autoscaling/v2", spec, status, {})


def to_v1(document: Mapping[str, Any]) -> Document:
    """The autoscaling/v1 document of an autoscaling/v2 one."""
    spec, status = dict(document.get("spec") or {}), dict(document.get("status") or {})
    travelling: dict[str, Any] = {}
    metrics = spec.pop("metrics", None) or []
    cpu = [each["resource"]["target"]["averageUtilization"] for each in metrics if _is_cpu(each)]
    if cpu:
        spec["targetCPUUtilizationPercentage"] = cpu[0]
    others = [_metric_to_v1(each, _SOURCES) for each in metrics if not _is_cpu(each)]
    if others:
        travelling[_METRICS] = others
    behavior = spec.pop("behavior", None)
    if behavior is not None:
        travelling[_BEHAVIOR] = _recased(behavior, _upper)
    current = status.pop("currentMetrics", None) or []
    for each in current:
        resource = each.get("resource") or {}
        utilization = (resource.get("current") or {}).get("averageUtilization")
        if resource.get("name") == "cpu" and utilization is not None:
            status["currentCPUUtilizationPercentage"] = utilization
    if current:
        travelling[_CURRENT_METRICS] = [_metric_to_v1(each, _STATUSES) for each in current]
    conditions = status.pop("conditions", None)
    if conditions:
        travelling[_CONDITIONS] = conditions
    status = {"currentReplicas": 0, "desiredReplicas": 0, **status}
    added = {name: msgspec.json.encode(value).decode() for name, value in travelling.items()}
    return _rebuilt(document, "autoscaling/v1", spec, status, added)


def _rebuilt(
    document: Mapping[str, Any], api_version: str, spec: Document, status: Document, added: Mapping[str, str]
) -> Document:
    metadata = dict(document.get("metadata") or {})
    annotations = {k: v for k, v in (metadata.pop("annotations", None) or {}).items() if k not in _TRAVELLING}
    if annotations or added:
        metadata["annotations"] = {**annotations, **added}
    return {**document, "apiVersion": api_version, "metadata": metadata, "spec": spec, "status": status}


def _is_cpu(metric: Mapping[str, Any]) -> bool:
    """Whether the older version has a field for it."""
    resource = metric.get("resource") or {}
    return (
        metric.get("type") == "Resource"
        and resource.get("name") == "cpu"
        and (resource.get("target") or {}).get("averageUtilization") is not None
    )


def _cpu(side: str, value: Document) -> Document:
    return {"type": "Resource", "resource": {"name": "cpu", side: value}}


# --- metrics: where autoscaling/v2 keeps each field of autoscaling/v1, by the type's field name ---

_Paths = Mapping[str, Mapping[str, str]]

_METRIC = {"metricName": "metric.name", "selector": "metric.selector"}
_RESOURCE = {"targetAverageUtilization": "target.averageUtilization", "targetAverageValue": "target.averageValue"}
_SOURCES: _Paths = {
    "object": {
        "target": "describedObject",
        **_METRIC,
        "targetValue": "target.value",
        "averageValue": "target.averageValue",
    },
    "pods": {**_METRIC, "targetAverageValue": "target.averageValue"},
    "resource": {"name": "name", **_RESOURCE},
    "containerResource": {"name": "name", "container": "container", **_RESOURCE},
    "external": {
        "metricName": "metric.name",
        "metricSelector": "metric.selector",
        "targetValue": "target.value",
        "targetAverageValue": "target.averageValue",
    },
}
_CURRENT = {"currentAverageUtilization": "current.averageUtilization", "currentAverageValue": "current.averageValue"}
_STATUSES: _Paths = {
    "object": {
        "target": "describedObject",
        **_METRIC,
        "currentValue": "current.value",
        "averageValue": "current.averageValue",
    },
    "pods": {**_METRIC, "currentAverageValue": "current.averageValue"},
    "resource": {"name": "name", **_CURRENT},
    "containerResource": {"name": "name", "container": "container", **_CURRENT},
    "external": {
        "metricName": "metric.name",
        "metricSelector": "metric.selector",
        "currentValue": "current.value",
        "currentAverageValue": "current.averageValue",
    },
}
# The quantities that the older version always has, zero where nothing is said.
_NEVER_ABSENT = {("object", "targetValue"), ("pods", "targetAverageValue")} | {
    (kind, field)
    for kind, fields in _STATUSES.items()
    for field in (("currentValue",) if "currentValue" in fields else ("currentAverageValue",))
}


def _metric_to_v1(metric: Mapping[str, Any], paths: _Paths) -> Document:
    converted: Document = {}
    for kind, value in metric.items():
        converted[kind] = value
        if kind in paths and isinstance(value, Mapping):
            found = {name: dig(value, *path.split(".")) for name, path in paths[kind].items()}
            found |= {name: "0" for name in found if found[name] is None and (kind, name) in _NEVER_ABSENT}
            converted[kind] = {name: each for name, each in found.items() if each is not None}
    return converted


def _metric_to_v2(metric: Mapping[str, Any], paths: _Paths) -> Document:
    converted: Document = {}
    for kind, value in metric.items():
        converted[kind] = value
        if kind in paths and isinstance(value, Mapping):
            made: Document = {}
            converted[kind] = made
            for name, path in paths[kind].items():
                if value.get(name) is not None:
                    *above, last = path.split(".")
                    at: Document = made
                    for step in above:
                        at = at.setdefault(step, {})
                    at[last] = value[name]
            if paths is _SOURCES:
                _say_type(kind, made.setdefault("target", {}))
    return converted


def _say_type(kind: str, target: Document) -> None:
    """What a target is follows, in the older version, from which of its values is given."""
    average = "averageValue" in target
    if kind == "object" and average and target.get("value") in ("0", 0):
        del target["value"]  # which the older version cannot leave out
    if "averageUtilization" in target:
        target["type"] = "Utilization"
    elif "value" in target and not (kind == "object" and average):
        target["type"] = "Value"
    else:
        target["type"] = "AverageValue"


# --- annotations ---


def _parsed(text: str | None, kind: Any) -> Any:
    """The value of an annotation, None where it is absent or malformed."""
    try:
        return msgspec.json.decode(text, type=kind) if text is not None else None
    except msgspec.DecodeError:
        return None


def _shaped(value: Any, kind: Any) -> Any:
    """The value if it is what autoscaling/v2 declares there, else None."""
    try:
        msgspec.convert(value, kind)
    except msgspec.ValidationError:
        return None
    return value


def _recased(value: Any, rename: Callable[[str], str]) -> Any:
    """The behavior's annotation spells its fields as the Go type does, with a capital."""
    if isinstance(value, Mapping):
        return {rename(name): _recased(below, rename) for name, below in value.items() if below is not None}
    if isinstance(value, list):
        return [_recased(each, rename) for each in value]
    return value


def _upper(name: str) -> str:
    return name[:1].upper() + name[1:]


def _lower(name: str) -> str:
    return name[:1].lower() + name[1:]
