"""Printer columns of horizontal pod autoscalers, as autoscaling/v2 shows them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from proa.machinery.columns import AGE, NAME, NONE, UNKNOWN, Document, dig, path
from proa.machinery.resource import Column

_MOST_METRICS = 2

# By the type of a metric: the field that describes it, and whether values name the resource they are of.
_PLACES = {
    "External": ("external", False),
    "Pods": ("pods", False),
    "Object": ("object", False),
    "Resource": ("resource", True),
    "ContainerResource": ("containerResource", True),
}


def _percent(value: int | None, missing: str) -> str:
    return missing if value is None else f"{value}%"


def _metric(wanted: Document, seen: Document) -> str:
    place = _PLACES.get(wanted.get("type", ""))
    if place is None:
        return "<unknown type>"
    field, of_resource = place
    target, current = dig(wanted, field, "target") or {}, dig(seen, field, "current") or {}
    average = target.get("averageValue")
    if of_resource:
        name = dig(wanted, field, "name")
        if average is not None:
            return f"{name}: {current.get('averageValue', UNKNOWN)}/{average}"
        utilization = _percent(current.get("averageUtilization"), UNKNOWN)
        return f"{name}: {utilization}/{_percent(target.get('averageUtilization'), '<auto>')}"
    if average is None:
        return f"{current.get('value', UNKNOWN)}/{target.get('value')}"
    suffix = "" if field == "pods" else " (avg)"
    return f"{current.get('averageValue', UNKNOWN)}/{average}{suffix}"


def metrics_text(wanted: Iterable[Mapping[str, Any]], seen: Iterable[Mapping[str, Any]]) -> str:
    """`cpu: 20%/80%`: what is seen of what is wanted, for the first metrics."""
    statuses = list(seen)
    shown = [_metric(each, statuses[at] if at < len(statuses) else {}) for at, each in enumerate(wanted)]
    if not shown:
        return NONE
    text = ", ".join(shown[:_MOST_METRICS])
    return text if len(shown) <= _MOST_METRICS else f"{text} + {len(shown) - _MOST_METRICS} more..."


def reference_text(autoscaler: Document) -> str:
    """What is scaled, as kind and name."""
    target = dig(autoscaler, "spec", "scaleTargetRef") or {}
    return f"{target.get('kind', '')}/{target.get('name', '')}"


def _targets(autoscaler: Document) -> str:
    return metrics_text(
        dig(autoscaler, "spec", "metrics") or (),
        dig(autoscaler, "status", "currentMetrics") or (),
    )


def columns(targets: Any) -> tuple[Column, ...]:
    """The columns of an autoscaler whose metrics `targets` shows."""
    return (
        NAME,
        Column("Reference", reference_text, description="What is scaled."),
        Column("Targets", targets, description="What is seen of what is wanted."),
        Column("MinPods", path("spec.minReplicas", "<unset>"), description="The fewest replicas."),
        Column("MaxPods", path("spec.maxReplicas", 0), description="The most replicas."),
        Column("Replicas", path("status.currentReplicas", 0), description="The replicas there are."),
        AGE,
    )


HORIZONTAL_POD_AUTOSCALERS = columns(_targets)
