"""autoscaling/v1: only Scale so far, the body of scale subresources."""

from proa.api.autoscaling_v1.types import Scale, ScaleSpec, ScaleStatus

__all__ = ["Scale", "ScaleSpec", "ScaleStatus"]
