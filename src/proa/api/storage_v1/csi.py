"""storage/v1 declarations: drivers, where they run and what room they have."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Quantity


class TokenRequest(Object):
    audience: Annotated[str, Field(1, required=True)] = always(str)
    expirationSeconds: Annotated[Int64 | None, Field(2)] = None


class CSIDriverSpec(Object):
    attachRequired: Annotated[bool | None, Field(1, default=True)] = None
    podInfoOnMount: Annotated[bool | None, Field(2, default=False)] = None
    volumeLifecycleModes: Annotated[
        tuple[str, ...], Field(3, default=["Persistent"], enum=("Persistent", "Ephemeral"), list="set")
    ] = ()
    storageCapacity: Annotated[bool | None, Field(4, default=False)] = None
    fsGroupPolicy: Annotated[
        str | None, Field(5, default="ReadWriteOnceWithFSType", enum=("ReadWriteOnceWithFSType", "File", "None"))
    ] = None
    tokenRequests: Annotated[tuple[TokenRequest, ...], Field(6, list="atomic")] = ()
    requiresRepublish: Annotated[bool | None, Field(7, default=False)] = None
    seLinuxMount: Annotated[bool | None, Field(8, default=False)] = None
    nodeAllocatableUpdatePeriodSeconds: Annotated[Int64 | None, Field(9)] = None
    serviceAccountTokenInSecrets: Annotated[bool | None, Field(10)] = None
    preventPodSchedulingIfMissing: Annotated[bool | None, Field(11)] = None


class CSIDriver(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("CSIDriver")
    spec: Annotated[CSIDriverSpec, Field(2, required=True)] = always(CSIDriverSpec)


class CSIDriverList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("CSIDriverList")
    items: Annotated[tuple[CSIDriver, ...], Field(2, required=True)] = always(no_items)


class VolumeNodeResources(Object):
    count: Annotated[Int32 | None, Field(1)] = None


class CSINodeDriver(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    nodeID: Annotated[str, Field(2, required=True)] = always(str)
    topologyKeys: Annotated[tuple[str, ...], Field(3, list="atomic")] = always(no_items)
    allocatable: Annotated[VolumeNodeResources | None, Field(4)] = None


class CSINodeSpec(Object):
    drivers: Annotated[
        tuple[CSINodeDriver, ...], Field(1, required=True, list="map", keys=("name",), merge="merge", key="name")
    ] = always(no_items)


class CSINode(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("CSINode")
    spec: Annotated[CSINodeSpec, Field(2, required=True)] = always(CSINodeSpec)


class CSINodeList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("CSINodeList")
    items: Annotated[tuple[CSINode, ...], Field(2, required=True)] = always(no_items)


class CSIStorageCapacity(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("CSIStorageCapacity")
    nodeTopology: Annotated[LabelSelector | None, Field(2)] = None
    storageClassName: Annotated[str, Field(3, required=True)] = always(str)
    capacity: Annotated[Quantity | None, Field(4)] = None
    maximumVolumeSize: Annotated[Quantity | None, Field(5)] = None


class CSIStorageCapacityList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("CSIStorageCapacityList")
    items: Annotated[tuple[CSIStorageCapacity, ...], Field(2, required=True)] = always(no_items)
