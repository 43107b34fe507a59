"""discovery/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from proa.api.core_v1.reference import ObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32


class EndpointConditions(Object):
    ready: Annotated[bool | None, Field(1)] = None
    serving: Annotated[bool | None, Field(2)] = None
    terminating: Annotated[bool | None, Field(3)] = None


class ForNode(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class ForZone(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class EndpointHints(Object):
    forZones: Annotated[tuple[ForZone, ...], Field(1, list="atomic")] = ()
    forNodes: Annotated[tuple[ForNode, ...], Field(2, list="atomic")] = ()


class Endpoint(Object):
    addresses: Annotated[tuple[str, ...], Field(1, required=True, list="set")] = always(no_items)
    conditions: Annotated[EndpointConditions, Field(2)] = always(EndpointConditions)
    hostname: Annotated[str | None, Field(3)] = None
    targetRef: Annotated[ObjectReference | None, Field(4)] = None
    deprecatedTopology: Annotated[Mapping[str, str], Field(5)] = {}
    nodeName: Annotated[str | None, Field(6)] = None
    zone: Annotated[str | None, Field(7)] = None
    hints: Annotated[EndpointHints | None, Field(8)] = None


class EndpointPort(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str | None, Field(1, default="")] = None
    protocol: Annotated[str | None, Field(2, default="TCP")] = None
    port: Annotated[Int32 | None, Field(3, minimum=0, maximum=65535)] = None
    appProtocol: Annotated[str | None, Field(4)] = None


class EndpointSlice(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("discovery.k8s.io/v1")
    kind: str = fixed("EndpointSlice")
    addressType: Annotated[str, Field(4, required=True)] = always(str)
    endpoints: Annotated[tuple[Endpoint, ...], Field(2, list="atomic")] = always(no_items)
    ports: Annotated[tuple[EndpointPort, ...], Field(3, list="atomic")] = always(no_items)


class EndpointSliceList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("discovery.k8s.io/v1")
    kind: str = fixed("EndpointSliceList")
    items: Annotated[tuple[EndpointSlice, ...], Field(2, required=True)] = always(no_items)
