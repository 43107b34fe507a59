"""scheduling.k8s.io/v1: priority classes."""

from proa.api.scheduling_v1.types import PriorityClass, PriorityClassList

__all__ = [
    "PriorityClass",
    "PriorityClassList",
]
