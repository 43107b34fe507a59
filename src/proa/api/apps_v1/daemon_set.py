"""apps/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, IntOrString, Time


class RollingUpdateDaemonSet(Object):
    maxUnavailable: Annotated[IntOrString | None, Field(1, default=1)] = None
    maxSurge: Annotated[IntOrString | None, Field(2, default=0)] = None


class DaemonSetUpdateStrategy(Object):
    type: Annotated[str, Field(1, default="RollingUpdate", enum=("RollingUpdate", "OnDelete"))] = ""
    rollingUpdate: Annotated[RollingUpdateDaemonSet | None, Field(2)] = None


class DaemonSetSpec(Object):
    selector: Annotated[LabelSelector | None, Field(1, required=True)] = None
    template: Annotated[PodTemplateSpec, Field(2, required=True)] = always(PodTemplateSpec)
    updateStrategy: Annotated[DaemonSetUpdateStrategy, Field(3, default={})] = always(DaemonSetUpdateStrategy)
    minReadySeconds: Annotated[Int32, Field(4, minimum=0)] = 0
    revisionHistoryLimit: Annotated[Int32 | None, Field(6, default=10, minimum=0)] = None


class DaemonSetCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class DaemonSetStatus(Object):
    currentNumberScheduled: Annotated[Int32, Field(1, required=True)] = always(int)
    numberMisscheduled: Annotated[Int32, Field(2, required=True)] = always(int)
    desiredNumberScheduled: Annotated[Int32, Field(3, required=True)] = always(int)
    numberReady: Annotated[Int32, Field(4, required=True)] = always(int)
    observedGeneration: Annotated[Int64, Field(5)] = 0
    updatedNumberScheduled: Annotated[Int32, Field(6)] = 0
    numberAvailable: Annotated[Int32, Field(7)] = 0
    numberUnavailable: Annotated[Int32, Field(8)] = 0
    collisionCount: Annotated[Int32 | None, Field(9)] = None
    conditions: Annotated[
        tuple[DaemonSetCondition, ...], Field(10, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class DaemonSet(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("DaemonSet")
    spec: Annotated[DaemonSetSpec, Field(2)] = always(DaemonSetSpec)
    status: Annotated[DaemonSetStatus, Field(3)] = always(DaemonSetStatus)


class DaemonSetList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("DaemonSetList")
    items: Annotated[tuple[DaemonSet, ...], Field(2, required=True)] = always(no_items)
