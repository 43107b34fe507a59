"""apps/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Time


class ReplicaSetSpec(Object):
    replicas: Annotated[Int32 | None, Field(1, default=1, minimum=0)] = None
    minReadySeconds: Annotated[Int32, Field(4, minimum=0)] = 0
    selector: Annotated[LabelSelector | None, Field(2, required=True)] = None
    template: Annotated[PodTemplateSpec, Field(3)] = always(PodTemplateSpec)


class ReplicaSetCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class ReplicaSetStatus(Object):
    replicas: Annotated[Int32, Field(1, required=True)] = always(int)
    fullyLabeledReplicas: Annotated[Int32, Field(2)] = 0
    readyReplicas: Annotated[Int32, Field(4)] = 0
    availableReplicas: Annotated[Int32, Field(5)] = 0
    terminatingReplicas: Annotated[Int32 | None, Field(7)] = None
    observedGeneration: Annotated[Int64, Field(3)] = 0
    conditions: Annotated[
        tuple[ReplicaSetCondition, ...], Field(6, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class ReplicaSet(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("ReplicaSet")
    spec: Annotated[ReplicaSetSpec, Field(2)] = always(ReplicaSetSpec)
    status: Annotated[ReplicaSetStatus, Field(3)] = always(ReplicaSetStatus)


class ReplicaSetList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("ReplicaSetList")
    items: Annotated[tuple[ReplicaSet, ...], Field(2, required=True)] = always(no_items)
