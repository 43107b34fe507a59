"""node.k8s.io/v1: runtime classes."""

from proa.api.node_v1.types import Overhead, RuntimeClass, RuntimeClassList, Scheduling

__all__ = [
    "Overhead",
    "RuntimeClass",
    "RuntimeClassList",
    "Scheduling",
]
