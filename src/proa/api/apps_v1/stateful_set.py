"""apps/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.claim import PersistentVolumeClaim
from proa.api.core_v1.template import PodTemplateSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, IntOrString, Time


class RollingUpdateStatefulSetStrategy(Object):
    partition: Annotated[Int32 | None, Field(1, default=0)] = None
    maxUnavailable: Annotated[IntOrString | None, Field(2)] = None


class StatefulSetOrdinals(Object):
    start: Annotated[Int32, Field(1)] = always(int)


class StatefulSetPersistentVolumeClaimRetentionPolicy(Object):
    whenDeleted: Annotated[str, Field(1, default="Retain")] = ""
    whenScaled: Annotated[str, Field(2, default="Retain")] = ""


class StatefulSetUpdateStrategy(Object):
    type: Annotated[str, Field(1, default="RollingUpdate", enum=("RollingUpdate", "OnDelete"))] = ""
    rollingUpdate: Annotated[RollingUpdateStatefulSetStrategy | None, Field(2)] = None


class StatefulSetSpec(Object):
    replicas: Annotated[Int32 | None, Field(1, default=1, minimum=0)] = None
    selector: Annotated[LabelSelector | None, Field(2, required=True)] = None
    template: Annotated[PodTemplateSpec, Field(3, required=True)] = always(PodTemplateSpec)
    volumeClaimTemplates: Annotated[tuple[PersistentVolumeClaim, ...], Field(4, list="atomic")] = ()
    serviceName: Annotated[str, Field(5)] = always(str)
    podManagementPolicy: Annotated[str, Field(6, default="OrderedReady", enum=("OrderedReady", "Parallel"))] = ""
    updateStrategy: Annotated[StatefulSetUpdateStrategy, Field(7, default={})] = always(StatefulSetUpdateStrategy)
    revisionHistoryLimit: Annotated[Int32 | None, Field(8, default=10)] = None
    minReadySeconds: Annotated[Int32, Field(9, minimum=0)] = 0
    persistentVolumeClaimRetentionPolicy: Annotated[
        StatefulSetPersistentVolumeClaimRetentionPolicy | None, Field(10, default={})
    ] = None
    ordinals: Annotated[StatefulSetOrdinals | None, Field(11)] = None


class StatefulSetCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class StatefulSetStatus(Object):
    observedGeneration: Annotated[Int64, Field(1)] = 0
    replicas: Annotated[Int32, Field(2, required=True)] = always(int)
    readyReplicas: Annotated[Int32, Field(3)] = 0
    currentReplicas: Annotated[Int32, Field(4)] = 0
    updatedReplicas: Annotated[Int32, Field(5)] = 0
    currentRevision: Annotated[str, Field(6)] = ""
    updateRevision: Annotated[str, Field(7)] = ""
    collisionCount: Annotated[Int32 | None, Field(9)] = None
    conditions: Annotated[
        tuple[StatefulSetCondition, ...], Field(10, list="map", keys=("type",), merge="merge", key="type")
    ] = ()
    availableReplicas: Annotated[Int32, Field(11)] = always(int)


class StatefulSet(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("StatefulSet")
    spec: Annotated[StatefulSetSpec, Field(2)] = always(StatefulSetSpec)
    status: Annotated[StatefulSetStatus, Field(3)] = always(StatefulSetStatus)


class StatefulSetList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("StatefulSetList")
    items: Annotated[tuple[StatefulSet, ...], Field(2, required=True)] = always(no_items)
