"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Time


class ReplicationControllerSpec(Object):
    replicas: Annotated[Int32 | None, Field(1, default=1, minimum=0)] = None
    minReadySeconds: Annotated[Int32, Field(4, minimum=0)] = 0
    selector: Annotated[Mapping[str, str], Field(2, map="atomic")] = {}
    template: Annotated[PodTemplateSpec | None, Field(3)] = None


class ReplicationControllerCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class ReplicationControllerStatus(Object):
    replicas: Annotated[Int32, Field(1, required=True)] = always(int)
    fullyLabeledReplicas: Annotated[Int32, Field(2)] = 0
    readyReplicas: Annotated[Int32, Field(4)] = 0
    availableReplicas: Annotated[Int32, Field(5)] = 0
    observedGeneration: Annotated[Int64, Field(3)] = 0
    conditions: Annotated[
        tuple[ReplicationControllerCondition, ...], Field(6, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class ReplicationController(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ReplicationController")
    spec: Annotated[ReplicationControllerSpec, Field(2)] = always(ReplicationControllerSpec)
    status: Annotated[ReplicationControllerStatus, Field(3)] = always(ReplicationControllerStatus)


class ReplicationControllerList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ReplicationControllerList")
    items: Annotated[tuple[ReplicationController, ...], Field(2, required=True)] = always(no_items)
