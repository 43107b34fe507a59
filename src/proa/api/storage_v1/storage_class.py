"""storage/v1 declarations: classes of storage and of volume attributes."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.placement import TopologySelectorTerm
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta


class StorageClass(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("StorageClass")
    provisioner: Annotated[str, Field(2, required=True)] = always(str)
    parameters: Annotated[Mapping[str, str], Field(3)] = {}
    reclaimPolicy: Annotated[str | None, Field(4, default="Delete", enum=("Delete", "Retain"))] = None
    mountOptions: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()
    allowVolumeExpansion: Annotated[bool | None, Field(6)] = None
    volumeBindingMode: Annotated[
        str | None, Field(7, default="Immediate", enum=("Immediate", "WaitForFirstConsumer"))
    ] = None
    allowedTopologies: Annotated[tuple[TopologySelectorTerm, ...], Field(8, list="atomic")] = ()


class StorageClassList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("StorageClassList")
    items: Annotated[tuple[StorageClass, ...], Field(2, required=True)] = always(no_items)


class VolumeAttributesClass(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("VolumeAttributesClass")
    driverName: Annotated[str, Field(2, required=True)] = always(str)
    parameters: Annotated[Mapping[str, str], Field(3)] = {}


class VolumeAttributesClassList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("VolumeAttributesClassList")
    items: Annotated[tuple[VolumeAttributesClass, ...], Field(2, required=True)] = always(no_items)
