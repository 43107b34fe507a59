"""How autoscalers differ from the generic registry: metrics and behavior that are filled in, and what they scale."""

from __future__ import annotations

from typing import Any

from proa.api.autoscaling_v2.horizontal_pod_autoscaler import HorizontalPodAutoscaler
from proa.api.autoscaling_v2.validation import check_group_version, validate_autoscaler
from proa.machinery.checks import check_not_negative
from proa.machinery.fields import ErrorList, Path
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]

DEFAULT_METRICS = (
    {
        "type": "Resource",
        "resource": {"name": "cpu", "target": {"type": "Utilization", "averageUtilization": 80}},
    },
)


def _policy(kind: str, value: int) -> Document:
    return {"type": kind, "value": value, "periodSeconds": 15}


class HorizontalPodAutoscalerStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        spec = document.get("spec") or {}
        if not spec.get("metrics"):
            spec["metrics"] = [*DEFAULT_METRICS]
        behavior = spec.get("behavior")
        if behavior is not None:
            up = behavior.get("scaleUp") or {}
            behavior["scaleUp"] = {
                "stabilizationWindowSeconds": 0,
                "selectPolicy": "Max",
                "policies": [_policy("Pods", 4), _policy("Percent", 100)],
                **up,
            }
            down = behavior.get("scaleDown") or {}
            behavior["scaleDown"] = {"selectPolicy": "Max", "policies": [_policy("Percent", 100)], **down}

    def validate(self, new: HorizontalPodAutoscaler, errors: ErrorList) -> None:
        validate_autoscaler(new, errors)

    def validate_create(self, new: HorizontalPodAutoscaler, errors: ErrorList) -> None:
        _check_target(new, errors)

    def validate_update(self, new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler, errors: ErrorList) -> None:
        after, before = new.spec.scaleTargetRef, old.spec.scaleTargetRef
        if (after.apiVersion, after.kind) != (before.apiVersion, before.kind):
            _check_target(new, errors)
        for field in ("currentReplicas", "desiredReplicas"):
            check_not_negative(errors, Path("status", field), getattr(new.status, field))


def _check_target(new: HorizontalPodAutoscaler, errors: ErrorList) -> None:
    """Only one kind of the legacy group can be scaled."""
    target = new.spec.scaleTargetRef
    check_group_version(target, Path("spec", "scaleTargetRef"), errors, core=target.kind == "ReplicationController")
