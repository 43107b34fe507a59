"""autoscaling/v2 declarations: the autoscaler and how fast it scales."""

from typing import Annotated

from proa.api.autoscaling_v2.metrics import CrossVersionObjectReference, MetricSpec, MetricStatus
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Quantity, Time


class HPAScalingPolicy(Object):
    type: Annotated[str, Field(1, required=True, enum=("Pods", "Percent"))] = always(str)
    value: Annotated[Int32, Field(2, required=True)] = always(int)
    periodSeconds: Annotated[Int32, Field(3, required=True)] = always(int)


class HPAScalingRules(Object):
    stabilizationWindowSeconds: Annotated[Int32 | None, Field(3)] = None
    selectPolicy: Annotated[str | None, Field(1, enum=("Max", "Min", "Disabled"))] = None
    policies: Annotated[tuple[HPAScalingPolicy, ...], Field(2, list="atomic")] = ()
    tolerance: Annotated[Quantity | None, Field(4)] = None


class HorizontalPodAutoscalerBehavior(Object):
    scaleUp: Annotated[HPAScalingRules | None, Field(1)] = None
    scaleDown: Annotated[HPAScalingRules | None, Field(2)] = None


class HorizontalPodAutoscalerSpec(Object):
    scaleTargetRef: Annotated[CrossVersionObjectReference, Field(1, required=True)] = always(
        CrossVersionObjectReference
    )
    minReplicas: Annotated[Int32 | None, Field(2, default=1)] = None
    maxReplicas: Annotated[Int32, Field(3, required=True)] = always(int)
    metrics: Annotated[tuple[MetricSpec, ...], Field(4, list="atomic")] = ()
    behavior: Annotated[HorizontalPodAutoscalerBehavior | None, Field(5)] = None


class HorizontalPodAutoscalerCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class HorizontalPodAutoscalerStatus(Object):
    observedGeneration: Annotated[Int64 | None, Field(1)] = None
    lastScaleTime: Annotated[Time | None, Field(2)] = None
    currentReplicas: Annotated[Int32, Field(3)] = 0
    desiredReplicas: Annotated[Int32, Field(4, required=True)] = always(int)
    currentMetrics: Annotated[tuple[MetricStatus, ...], Field(5, list="atomic")] = always(no_items)
    conditions: Annotated[
        tuple[HorizontalPodAutoscalerCondition, ...], Field(6, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class HorizontalPodAutoscaler(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("autoscaling/v2")
    kind: str = fixed("HorizontalPodAutoscaler")
    spec: Annotated[HorizontalPodAutoscalerSpec, Field(2, required=True)] = always(HorizontalPodAutoscalerSpec)
    status: Annotated[HorizontalPodAutoscalerStatus, Field(3)] = always(HorizontalPodAutoscalerStatus)


class HorizontalPodAutoscalerList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("autoscaling/v2")
    kind: str = fixed("HorizontalPodAutoscalerList")
    items: Annotated[tuple[HorizontalPodAutoscaler, ...], Field(2, required=True)] = always(no_items)
