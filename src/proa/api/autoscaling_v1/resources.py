"""The resources of autoscaling/v1."""

from typing import Any

from proa.api.autoscaling_v1 import HorizontalPodAutoscaler, HorizontalPodAutoscalerList, columns
from proa.api.autoscaling_v1.strategies import HorizontalPodAutoscalerStrategy
from proa.machinery.resource import STATUS, Resource

HORIZONTAL_POD_AUTOSCALERS = Resource(
    group="autoscaling",
    version="v1",
    plural="horizontalpodautoscalers",
    type=HorizontalPodAutoscaler,
    list_type=HorizontalPodAutoscalerList,
    singular="horizontalpodautoscaler",
    short_names=("hpa",),
    categories=("all",),
    subresources=(STATUS,),
    columns=columns.HORIZONTAL_POD_AUTOSCALERS,
    strategy=HorizontalPodAutoscalerStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (HORIZONTAL_POD_AUTOSCALERS,)
