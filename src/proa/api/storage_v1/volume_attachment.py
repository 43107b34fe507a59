"""storage/v1 declarations: volume attachments."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.persistent_volume import PersistentVolumeSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Time


class VolumeAttachmentSource(Object):
    persistentVolumeName: Annotated[str | None, Field(1)] = None
    inlineVolumeSpec: Annotated[PersistentVolumeSpec | None, Field(2)] = None


class VolumeAttachmentSpec(Object):
    attacher: Annotated[str, Field(1, required=True)] = always(str)
    source: Annotated[VolumeAttachmentSource, Field(2, required=True)] = always(VolumeAttachmentSource)
    nodeName: Annotated[str, Field(3, required=True)] = always(str)


class VolumeError(Object):
    time: Annotated[Time | None, Field(1)] = None
    message: Annotated[str, Field(2)] = ""
    errorCode: Annotated[Int32 | None, Field(3)] = None


class VolumeAttachmentStatus(Object):
    attached: Annotated[bool, Field(1, required=True)] = always(bool)
    attachmentMetadata: Annotated[Mapping[str, str], Field(2)] = {}
    attachError: Annotated[VolumeError | None, Field(3)] = None
    detachError: Annotated[VolumeError | None, Field(4)] = None


class VolumeAttachment(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("VolumeAttachment")
    spec: Annotated[VolumeAttachmentSpec, Field(2, required=True)] = always(VolumeAttachmentSpec)
    status: Annotated[VolumeAttachmentStatus, Field(3)] = always(VolumeAttachmentStatus)


class VolumeAttachmentList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("storage.k8s.io/v1")
    kind: str = fixed("VolumeAttachmentList")
    items: Annotated[tuple[VolumeAttachment, ...], Field(2, required=True)] = always(no_items)
