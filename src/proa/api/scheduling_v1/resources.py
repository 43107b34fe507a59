"""The resources of scheduling.k8s.io/v1."""

from typing import Any

from proa.api.scheduling_v1 import PriorityClass, PriorityClassList, columns
from proa.api.scheduling_v1.strategies import PriorityClassStrategy
from proa.machinery.resource import Resource

PRIORITY_CLASSES = Resource(
    group="scheduling.k8s.io",
    version="v1",
    plural="priorityclasses",
    type=PriorityClass,
    list_type=PriorityClassList,
    singular="priorityclass",
    short_names=("pc",),
    namespaced=False,
    has_generation=True,
    columns=columns.PRIORITY_CLASSES,
    strategy=PriorityClassStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (PRIORITY_CLASSES,)
