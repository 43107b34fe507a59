"""policy/v1: disruption budgets and the eviction that asks them."""

from proa.api.policy_v1.disruption_budget import (
    PodDisruptionBudget,
    PodDisruptionBudgetList,
    PodDisruptionBudgetSpec,
    PodDisruptionBudgetStatus,
)
from proa.api.policy_v1.types import Eviction

__all__ = [
    "Eviction",
    "PodDisruptionBudget",
    "PodDisruptionBudgetList",
    "PodDisruptionBudgetSpec",
    "PodDisruptionBudgetStatus",
]
