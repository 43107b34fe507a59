"""resource/v1 declarations: claims to devices, and their templates."""

from typing import Annotated

from proa.api.resource_v1.allocation import AllocatedDeviceStatus, AllocationResult
from proa.api.resource_v1.request import DeviceClaim
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta


class ResourceClaimSpec(Object):
    devices: Annotated[DeviceClaim, Field(1)] = always(DeviceClaim)


class ResourceClaimConsumerReference(Object):
    apiGroup: Annotated[str, Field(1)] = ""
    resource: Annotated[str, Field(3, required=True)] = always(str)
    name: Annotated[str, Field(4, required=True)] = always(str)
    uid: Annotated[str, Field(5, required=True)] = always(str)


class ResourceClaimStatus(Object):
    allocation: Annotated[AllocationResult | None, Field(1)] = None
    reservedFor: Annotated[
        tuple[ResourceClaimConsumerReference, ...], Field(2, list="map", keys=("uid",), merge="merge", key="uid")
    ] = ()
    devices: Annotated[
        tuple[AllocatedDeviceStatus, ...], Field(4, list="map", keys=("driver", "device", "pool", "shareID"))
    ] = ()


class ResourceClaim(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("ResourceClaim")
    spec: Annotated[ResourceClaimSpec, Field(2, required=True)] = always(ResourceClaimSpec)
    status: Annotated[ResourceClaimStatus, Field(3)] = always(ResourceClaimStatus)


class ResourceClaimList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("ResourceClaimList")
    items: Annotated[tuple[ResourceClaim, ...], Field(2, required=True)] = always(no_items)


class ResourceClaimTemplateSpec(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    spec: Annotated[ResourceClaimSpec, Field(2, required=True)] = always(ResourceClaimSpec)


class ResourceClaimTemplate(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("ResourceClaimTemplate")
    spec: Annotated[ResourceClaimTemplateSpec, Field(2, required=True)] = always(ResourceClaimTemplateSpec)


class ResourceClaimTemplateList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("ResourceClaimTemplateList")
    items: Annotated[tuple[ResourceClaimTemplate, ...], Field(2, required=True)] = always(no_items)
