"""The resources of policy/v1."""

from typing import Any

from proa.api.policy_v1 import PodDisruptionBudget, PodDisruptionBudgetList, columns
from proa.api.policy_v1.strategies import PodDisruptionBudgetStrategy
from proa.machinery.resource import STATUS, Resource

POD_DISRUPTION_BUDGETS = Resource(
    group="policy",
    version="v1",
    plural="poddisruptionbudgets",
    type=PodDisruptionBudget,
    list_type=PodDisruptionBudgetList,
    singular="poddisruptionbudget",
    short_names=("pdb",),
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.POD_DISRUPTION_BUDGETS,
    strategy=PodDisruptionBudgetStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (POD_DISRUPTION_BUDGETS,)
