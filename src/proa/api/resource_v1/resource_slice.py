"""resource/v1 declarations: the devices a driver has in one pool."""

from typing import Annotated

from proa.api.core_v1.placement import NodeSelector
from proa.api.resource_v1.device import CounterSet, Device
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int64


class ResourcePool(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    generation: Annotated[Int64, Field(2, required=True)] = always(int)
    resourceSliceCount: Annotated[Int64, Field(3, required=True)] = always(int)


class ResourceSliceSpec(Object):
    driver: Annotated[str, Field(1, required=True)] = always(str)
    pool: Annotated[ResourcePool, Field(2, required=True)] = always(ResourcePool)
    nodeName: Annotated[str | None, Field(3)] = None
    nodeSelector: Annotated[NodeSelector | None, Field(4)] = None
    allNodes: Annotated[bool | None, Field(5)] = None
    devices: Annotated[tuple[Device, ...], Field(6, list="atomic")] = ()
    perDeviceNodeSelection: Annotated[bool | None, Field(7)] = None
    sharedCounters: Annotated[tuple[CounterSet, ...], Field(8, list="atomic")] = ()


class ResourceSlice(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("ResourceSlice")
    spec: Annotated[ResourceSliceSpec, Field(2, required=True)] = always(ResourceSliceSpec)


class ResourceSliceList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("resource.k8s.io/v1")
    kind: str = fixed("ResourceSliceList")
    items: Annotated[tuple[ResourceSlice, ...], Field(2, required=True)] = always(no_items)
