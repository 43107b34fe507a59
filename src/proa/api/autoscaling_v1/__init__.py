"""autoscaling/v1: Scale, the body of scale subresources, and autoscalers that know the CPU only."""

from proa.api.autoscaling_v1.horizontal_pod_autoscaler import (
    CrossVersionObjectReference,
    HorizontalPodAutoscaler,
    HorizontalPodAutoscalerList,
    HorizontalPodAutoscalerSpec,
    HorizontalPodAutoscalerStatus,
)
from proa.api.autoscaling_v1.types import Scale, ScaleSpec, ScaleStatus

__all__ = [
    "CrossVersionObjectReference",
    "HorizontalPodAutoscaler",
    "HorizontalPodAutoscalerList",
    "HorizontalPodAutoscalerSpec",
    "HorizontalPodAutoscalerStatus",
    "Scale",
    "ScaleSpec",
    "ScaleStatus",
]
