"""The resources of storage.k8s.io/v1."""

from typing import Any

from proa.api.storage_v1 import (
    CSIDriver,
    CSIDriverList,
    CSINode,
    CSINodeList,
    CSIStorageCapacity,
    CSIStorageCapacityList,
    StorageClass,
    StorageClassList,
    VolumeAttachment,
    VolumeAttachmentList,
    VolumeAttributesClass,
    VolumeAttributesClassList,
    columns,
)
from proa.api.storage_v1.strategies import (
    CSIDriverStrategy,
    CSINodeStrategy,
    CSIStorageCapacityStrategy,
    StorageClassStrategy,
    VolumeAttachmentStrategy,
    VolumeAttributesClassStrategy,
)
from proa.machinery.resource import STATUS, Resource

CSI_DRIVERS = Resource(
    group="storage.k8s.io",
    version="v1",
    plural="csidrivers",
    type=CSIDriver,
    list_type=CSIDriverList,
    singular="csidriver",
    namespaced=False,
    has_generation=True,
    columns=columns.CSI_DRIVERS,
    strategy=CSIDriverStrategy(),
)

CSI_NODES = Resource(
    group="storage.k8s.io",
    version="v1",
    plural="csinodes",
    type=CSINode,
    list_type=CSINodeList,
    singular="csinode",
    namespaced=False,
    columns=columns.CSI_NODES,
    strategy=CSINodeStrategy(),
)

CSI_STORAGE_CAPACITIES = Resource(
    group="storage.k8s.io",
    version="v1",
    plural="csistoragecapacities",
    type=CSIStorageCapacity,
    list_type=CSIStorageCapacityList,
    singular="csistoragecapacity",
    columns=columns.CSI_STORAGE_CAPACITIES,
    strategy=CSIStorageCapacityStrategy(),
)

STORAGE_CLASSES = Resource(
    group="storage.k8s.io",
    version="v1",
    plural="storageclasses",
    type=StorageClass,
    list_type=StorageClassList,
    singular="storageclass",
    short_names=("sc",),
    namespaced=False,
    columns=columns.STORAGE_CLASSES,
    strategy=StorageClassStrategy(),
)

VOLUME_ATTACHMENTS = Resource(
    group="storage.k8s.io",
    version="v1",
    plural="volumeattachments",
    type=VolumeAttachment,
    list_type=VolumeAttachmentList,
    singular="volumeattachment",
    namespaced=False,
    subresources=(STATUS,),
    columns=columns.VOLUME_ATTACHMENTS,
    strategy=VolumeAttachmentStrategy(),
)

VOLUME_ATTRIBUTES_CLASSES = Resource(
    group="storage.k8s.io",
    version="v1",
    plural="volumeattributesclasses",
    type=VolumeAttributesClass,
    list_type=VolumeAttributesClassList,
    singular="volumeattributesclass",
    short_names=("vac",),
    namespaced=False,
    columns=columns.VOLUME_ATTRIBUTES_CLASSES,
    strategy=VolumeAttributesClassStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (
    CSI_DRIVERS,
    CSI_NODES,
    CSI_STORAGE_CAPACITIES,
    STORAGE_CLASSES,
    VOLUME_ATTACHMENTS,
    VOLUME_ATTRIBUTES_CLASSES,
)
