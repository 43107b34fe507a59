"""Printer columns of horizontal pod autoscalers, as autoscaling/v1 knows them."""

from __future__ import annotations

from proa.api.autoscaling_v2.columns import columns, metrics_text
from proa.machinery.columns import Document, dig


def _targets(autoscaler: Document) -> str:
    wanted = dig(autoscaler, "spec", "targetCPUUtilizationPercentage")
    if wanted is None:
        return metrics_text((), ())
    seen = dig(autoscaler, "status", "currentCPUUtilizationPercentage")
    return metrics_text(
        [{"type": "Resource", "resource": {"name": "cpu", "target": {"averageUtilization": wanted}}}],
        [{"resource": {"current": {} if seen is None else {"averageUtilization": seen}}}],
    )


HORIZONTAL_POD_AUTOSCALERS = columns(_targets)
