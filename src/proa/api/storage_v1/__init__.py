"""storage.k8s.io/v1: classes of storage, drivers, and which volume is attached where."""

from proa.api.storage_v1.csi import (
    CSIDriver,
    CSIDriverList,
    CSIDriverSpec,
    CSINode,
    CSINodeDriver,
    CSINodeList,
    CSINodeSpec,
    CSIStorageCapacity,
    CSIStorageCapacityList,
    TokenRequest,
    VolumeNodeResources,
)
from proa.api.storage_v1.storage_class import (
    StorageClass,
    StorageClassList,
    VolumeAttributesClass,
    VolumeAttributesClassList,
)
from proa.api.storage_v1.volume_attachment import (
    VolumeAttachment,
    VolumeAttachmentList,
    VolumeAttachmentSource,
    VolumeAttachmentSpec,
    VolumeAttachmentStatus,
    VolumeError,
)

__all__ = [
    "CSIDriver",
    "CSIDriverList",
    "CSIDriverSpec",
    "CSINode",
    "CSINodeDriver",
    "CSINodeList",
    "CSINodeSpec",
    "CSIStorageCapacity",
    "CSIStorageCapacityList",
    "StorageClass",
    "StorageClassList",
    "TokenRequest",
    "VolumeAttachment",
    "VolumeAttachmentList",
    "VolumeAttachmentSource",
    "VolumeAttachmentSpec",
    "VolumeAttachmentStatus",
    "VolumeAttributesClass",
    "VolumeAttributesClassList",
    "VolumeError",
    "VolumeNodeResources",
]
