"""How autoscalers differ: metrics and behavior that are filled in."""

from __future__ import annotations

from typing import Any

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
