"""networking/v1 declarations: the ranges services get addresses from, and the addresses given."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import Condition, ListMeta, ObjectMeta


class ParentReference(Object):
    group: Annotated[str, Field(1)] = ""
    resource: Annotated[str, Field(2, required=True)] = ""
    namespace: Annotated[str, Field(3)] = ""
    name: Annotated[str, Field(4, required=True)] = ""


class IPAddressSpec(Object):
    parentRef: Annotated[ParentReference | None, Field(1, required=True)] = None


class IPAddress(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("IPAddress")
    spec: Annotated[IPAddressSpec, Field(2, required=True)] = always(IPAddressSpec)


class IPAddressList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("IPAddressList")
    items: Annotated[tuple[IPAddress, ...], Field(2, required=True)] = always(no_items)


class ServiceCIDRSpec(Object):
    cidrs: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()


class ServiceCIDRStatus(Object):
    conditions: Annotated[tuple[Condition, ...], Field(1, list="map", keys=("type",), merge="merge", key="type")] = ()


class ServiceCIDR(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("ServiceCIDR")
    spec: Annotated[ServiceCIDRSpec, Field(2)] = always(ServiceCIDRSpec)
    status: Annotated[ServiceCIDRStatus, Field(3)] = always(ServiceCIDRStatus)


class ServiceCIDRList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("ServiceCIDRList")
    items: Annotated[tuple[ServiceCIDR, ...], Field(2, required=True)] = always(no_items)
