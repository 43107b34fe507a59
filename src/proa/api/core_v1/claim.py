"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.reference import TypedLocalObjectReference, TypedObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Quantity, Time


class ModifyVolumeStatus(Object):
    targetVolumeAttributesClassName: Annotated[str, Field(1)] = ""
    status: Annotated[str, Field(2, required=True)] = always(str)


class VolumeResourceRequirements(Object):
    limits: Annotated[Mapping[str, Quantity], Field(1)] = {}
    requests: Annotated[Mapping[str, Quantity], Field(2)] = {}


class PersistentVolumeClaimSpec(Object):
    accessModes: Annotated[
        tuple[str, ...],
        Field(1, enum=("ReadWriteOnce", "ReadOnlyMany", "ReadWriteMany", "ReadWriteOncePod"), list="atomic"),
    ] = ()
    selector: Annotated[LabelSelector | None, Field(4)] = None
    resources: Annotated[VolumeResourceRequirements, Field(2)] = always(VolumeResourceRequirements)
    volumeName: Annotated[str, Field(3)] = ""
    storageClassName: Annotated[str | None, Field(5)] = None
    volumeMode: Annotated[str | None, Field(6, default="Filesystem", enum=("Block", "Filesystem"))] = None
    dataSource: Annotated[TypedLocalObjectReference | None, Field(7)] = None
    dataSourceRef: Annotated[TypedObjectReference | None, Field(8)] = None
    volumeAttributesClassName: Annotated[str | None, Field(9)] = None


class PersistentVolumeClaimCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, Field(3)] = None
    lastTransitionTime: Annotated[Time | None, Field(4)] = None
    reason: Annotated[str, Field(5)] = ""
    message: Annotated[str, Field(6)] = ""


class PersistentVolumeClaimStatus(Object):
    phase: Annotated[str, Field(1, default="Pending")] = ""
    accessModes: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    capacity: Annotated[Mapping[str, Quantity], Field(3)] = {}
    conditions: Annotated[
        tuple[PersistentVolumeClaimCondition, ...], Field(4, list="map", keys=("type",), merge="merge", key="type")
    ] = ()
    allocatedResources: Annotated[Mapping[str, Quantity], Field(5)] = {}
    allocatedResourceStatuses: Annotated[Mapping[str, str], Field(7, map="granular")] = {}
    currentVolumeAttributesClassName: Annotated[str | None, Field(8)] = None
    modifyVolumeStatus: Annotated[ModifyVolumeStatus | None, Field(9)] = None


class PersistentVolumeClaim(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PersistentVolumeClaim")
    spec: Annotated[PersistentVolumeClaimSpec, Field(2)] = always(PersistentVolumeClaimSpec)
    status: Annotated[PersistentVolumeClaimStatus, Field(3)] = always(PersistentVolumeClaimStatus)


class PersistentVolumeClaimList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PersistentVolumeClaimList")
    items: Annotated[tuple[PersistentVolumeClaim, ...], Field(2, required=True)] = always(no_items)


class PersistentVolumeClaimTemplate(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    spec: Annotated[PersistentVolumeClaimSpec, Field(2, required=True)] = always(PersistentVolumeClaimSpec)
