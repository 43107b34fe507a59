"""autoscaling/v2 declarations: metrics, as wanted and as seen."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always
from proa.machinery.meta import LabelSelector
from proa.machinery.scalars import Int32, Quantity


class CrossVersionObjectReference(Object):
    kind: Annotated[str, Field(1, required=True)] = always(str)
    name: Annotated[str, Field(2, required=True)] = always(str)
    apiVersion: Annotated[str, Field(3)] = ""


class MetricIdentifier(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    selector: Annotated[LabelSelector | None, Field(2)] = None


class MetricTarget(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    value: Annotated[Quantity | None, Field(2)] = None
    averageValue: Annotated[Quantity | None, Field(3)] = None
    averageUtilization: Annotated[Int32 | None, Field(4)] = None


class MetricValueStatus(Object):
    value: Annotated[Quantity | None, Field(1)] = None
    averageValue: Annotated[Quantity | None, Field(2)] = None
    averageUtilization: Annotated[Int32 | None, Field(3)] = None


class ObjectMetricSource(Object):
    describedObject: Annotated[CrossVersionObjectReference, Field(1, required=True)] = always(
        CrossVersionObjectReference
    )
    target: Annotated[MetricTarget, Field(2, required=True)] = always(MetricTarget)
    metric: Annotated[MetricIdentifier, Field(3, required=True)] = always(MetricIdentifier)


class PodsMetricSource(Object):
    metric: Annotated[MetricIdentifier, Field(1, required=True)] = always(MetricIdentifier)
    target: Annotated[MetricTarget, Field(2, required=True)] = always(MetricTarget)


class ResourceMetricSource(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    target: Annotated[MetricTarget, Field(2, required=True)] = always(MetricTarget)


class ContainerResourceMetricSource(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    target: Annotated[MetricTarget, Field(2, required=True)] = always(MetricTarget)
    container: Annotated[str, Field(3, required=True)] = always(str)


class ExternalMetricSource(Object):
    metric: Annotated[MetricIdentifier, Field(1, required=True)] = always(MetricIdentifier)
    target: Annotated[MetricTarget, Field(2, required=True)] = always(MetricTarget)


class MetricSpec(Object):
    type: Annotated[
        str, Field(1, required=True, enum=("Object", "Pods", "Resource", "ContainerResource", "External"))
    ] = always(str)
    object: Annotated[ObjectMetricSource | None, Field(2)] = None
    pods: Annotated[PodsMetricSource | None, Field(3)] = None
    resource: Annotated[ResourceMetricSource | None, Field(4)] = None
    containerResource: Annotated[ContainerResourceMetricSource | None, Field(7)] = None
    external: Annotated[ExternalMetricSource | None, Field(5)] = None


class ObjectMetricStatus(Object):
    metric: Annotated[MetricIdentifier, Field(1, required=True)] = always(MetricIdentifier)
    current: Annotated[MetricValueStatus, Field(2, required=True)] = always(MetricValueStatus)
    describedObject: Annotated[CrossVersionObjectReference, Field(3, required=True)] = always(
        CrossVersionObjectReference
    )


class PodsMetricStatus(Object):
    metric: Annotated[MetricIdentifier, Field(1, required=True)] = always(MetricIdentifier)
    current: Annotated[MetricValueStatus, Field(2, required=True)] = always(MetricValueStatus)


class ResourceMetricStatus(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    current: Annotated[MetricValueStatus, Field(2, required=True)] = always(MetricValueStatus)


class ContainerResourceMetricStatus(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    current: Annotated[MetricValueStatus, Field(2, required=True)] = always(MetricValueStatus)
    container: Annotated[str, Field(3, required=True)] = always(str)


class ExternalMetricStatus(Object):
    metric: Annotated[MetricIdentifier, Field(1, required=True)] = always(MetricIdentifier)
    current: Annotated[MetricValueStatus, Field(2, required=True)] = always(MetricValueStatus)


class MetricStatus(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    object: Annotated[ObjectMetricStatus | None, Field(2)] = None
    pods: Annotated[PodsMetricStatus | None, Field(3)] = None
    resource: Annotated[ResourceMetricStatus | None, Field(4)] = None
    containerResource: Annotated[ContainerResourceMetricStatus | None, Field(7)] = None
    external: Annotated[ExternalMetricStatus | None, Field(5)] = None
