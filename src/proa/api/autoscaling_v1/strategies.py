"""How autoscalers of the older version differ: they are checked as what they are stored as, so errors name its fields."""

from __future__ import annotations

from typing import Any

from proa.api.autoscaling_v1.conversion import to_v1, to_v2
from proa.api.autoscaling_v1.horizontal_pod_autoscaler import HorizontalPodAutoscaler
from proa.api.autoscaling_v2.horizontal_pod_autoscaler import HorizontalPodAutoscaler as Stored
from proa.api.autoscaling_v2.strategies import HorizontalPodAutoscalerStrategy as StoredStrategy
from proa.machinery.decode import to_document, to_typed
from proa.machinery.fields import ErrorList
from proa.machinery.strategy import DefaultStrategy

_STORED = StoredStrategy()


class HorizontalPodAutoscalerStrategy(DefaultStrategy):
    def default(self, document: dict[str, Any]) -> None:
        """An autoscaler without any metrics watches the CPU; others may travel in an annotation."""
        spec = document.get("spec") or {}
        cpu = to_v1(to_v2(document))["spec"].get("targetCPUUtilizationPercentage")
        if cpu is not None and spec.get("targetCPUUtilizationPercentage") is None:
            spec["targetCPUUtilizationPercentage"] = cpu

    def validate(self, new: HorizontalPodAutoscaler, errors: ErrorList) -> None:
        _STORED.validate(_stored(new), errors)

    def validate_create(self, new: HorizontalPodAutoscaler, errors: ErrorList) -> None:
        _STORED.validate_create(_stored(new), errors)

    def validate_update(self, new: HorizontalPodAutoscaler, old: HorizontalPodAutoscaler, errors: ErrorList) -> None:
        _STORED.validate_update(_stored(new), _stored(old), errors)


def _stored(autoscaler: HorizontalPodAutoscaler) -> Stored:
    return to_typed(to_v2(to_document(autoscaler)), Stored)
