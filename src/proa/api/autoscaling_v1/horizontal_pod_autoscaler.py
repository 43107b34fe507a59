"""autoscaling/v1 declarations: autoscalers that know the CPU only."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Time


class CrossVersionObjectReference(Object):
    map_type: ClassVar[str] = "atomic"
    kind: Annotated[str, Field(1, required=True)] = always(str)
    name: Annotated[str, Field(2, required=True)] = always(str)
    apiVersion: Annotated[str, Field(3)] = ""


class HorizontalPodAutoscalerSpec(Object):
    scaleTargetRef: Annotated[CrossVersionObjectReference, Field(1, required=True)] = always(
        CrossVersionObjectReference
    )
    minReplicas: Annotated[Int32 | None, Field(2, default=1)] = None
    maxReplicas: Annotated[Int32, Field(3, required=True)] = always(int)
    targetCPUUtilizationPercentage: Annotated[Int32 | None, Field(4)] = None


class HorizontalPodAutoscalerStatus(Object):
    observedGeneration: Annotated[Int64 | None, Field(1)] = None
    lastScaleTime: Annotated[Time | None, Field(2)] = None
    currentReplicas: Annotated[Int32, Field(3, required=True)] = always(int)
    desiredReplicas: Annotated[Int32, Field(4, required=True)] = always(int)
    currentCPUUtilizationPercentage: Annotated[Int32 | None, Field(5)] = None


class HorizontalPodAutoscaler(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("autoscaling/v1")
    kind: str = fixed("HorizontalPodAutoscaler")
    spec: Annotated[HorizontalPodAutoscalerSpec, Field(2, required=True)] = always(HorizontalPodAutoscalerSpec)
    status: Annotated[HorizontalPodAutoscalerStatus, Field(3)] = always(HorizontalPodAutoscalerStatus)


class HorizontalPodAutoscalerList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("autoscaling/v1")
    kind: str = fixed("HorizontalPodAutoscalerList")
    items: Annotated[tuple[HorizontalPodAutoscaler, ...], Field(2, required=True)] = always(no_items)
