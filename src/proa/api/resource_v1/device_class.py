"""resource/v1 declarations: classes of devices, and what classes, claims and slices share."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import RawExtension


class CELDeviceSelector(Object):
    expression: Annotated[str, Field(1, required=True)] = always(str)


class DeviceSelector(Object):
    cel: Annotated[CELDeviceSelector | None, Field(1)] = None


class OpaqueDeviceConfiguration(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    parameters: Annotated[RawExtension | None, Field(2, required=True)] = None


class DeviceClassConfiguration(Object):
    opaque: OpaqueDeviceConfiguration | None = None


class DeviceClassSpec(Object):
    selectors: Annotated[tuple[DeviceSelector, ...], Field(1, list="atomic")] = ()
    config: Annotated[tuple[DeviceClassConfiguration, ...], Field(2, list="atomic")] = ()
    extendedResourceName: Annotated[str | None, Field(4)] = None


class DeviceClass(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("DeviceClass")
    spec: Annotated[DeviceClassSpec, Field(2, required=True)] = always(DeviceClassSpec)


class DeviceClassList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("DeviceClassList")
    items: Annotated[tuple[DeviceClass, ...], Field(2, required=True)] = always(no_items)
