"""flowcontrol/v1 declarations: how many requests of a priority level run at once, and how others wait."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Time


class QueuingConfiguration(Object):
    queues: Annotated[Int32, Field(1, default=64)] = always(int)
    handSize: Annotated[Int32, Field(2, default=8)] = always(int)
    queueLengthLimit: Annotated[Int32, Field(3, default=50)] = always(int)


class LimitResponse(Object):
    type: Annotated[str, Field(1, required=True, enum=("Queue", "Reject"))] = always(str)
    queuing: Annotated[QueuingConfiguration | None, Field(2)] = None


class LimitedPriorityLevelConfiguration(Object):
    nominalConcurrencyShares: Annotated[Int32 | None, Field(1, default=30)] = None
    limitResponse: Annotated[LimitResponse, Field(2)] = always(LimitResponse)
    lendablePercent: Annotated[Int32 | None, Field(3, default=0)] = None
    borrowingLimitPercent: Annotated[Int32 | None, Field(4)] = None


class ExemptPriorityLevelConfiguration(Object):
    nominalConcurrencyShares: Annotated[Int32 | None, Field(1, default=0)] = None
    lendablePercent: Annotated[Int32 | None, Field(2, default=0)] = None


class PriorityLevelConfigurationSpec(Object):
    type: Annotated[str, Field(1, required=True, enum=("Exempt", "Limited"))] = always(str)
    limited: Annotated[LimitedPriorityLevelConfiguration | None, Field(2)] = None
    exempt: Annotated[ExemptPriorityLevelConfiguration | None, Field(3)] = None


class PriorityLevelConfigurationCondition(Object):
    type: Annotated[str, Field(1)] = ""
    status: Annotated[str, Field(2)] = ""
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class PriorityLevelConfigurationStatus(Object):
    conditions: Annotated[
        tuple[PriorityLevelConfigurationCondition, ...], Field(1, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class PriorityLevelConfiguration(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("flowcontrol.apiserver.k8s.io/v1")
    kind: str = fixed("PriorityLevelConfiguration")
    spec: Annotated[PriorityLevelConfigurationSpec, Field(2)] = always(PriorityLevelConfigurationSpec)
    status: Annotated[PriorityLevelConfigurationStatus, Field(3)] = always(PriorityLevelConfigurationStatus)


class PriorityLevelConfigurationList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("flowcontrol.apiserver.k8s.io/v1")
    kind: str = fixed("PriorityLevelConfigurationList")
    items: Annotated[tuple[PriorityLevelConfiguration, ...], Field(2, required=True)] = always(no_items)
