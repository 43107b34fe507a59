"""apiregistration/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Bytes, Int32, Time


class ServiceReference(Object):
    namespace: Annotated[str, Field(1)] = ""
    name: Annotated[str, Field(2)] = ""
    port: Annotated[Int32 | None, Field(3, default=443)] = None


class APIServiceSpec(Object):
    service: Annotated[ServiceReference | None, Field(1)] = None
    group: Annotated[str, Field(2)] = ""
    version: Annotated[str, Field(3)] = ""
    insecureSkipTLSVerify: Annotated[bool, Field(4)] = False
    caBundle: Annotated[Bytes, Field(5, list="atomic")] = b""
    groupPriorityMinimum: Annotated[Int32, Field(7, required=True)] = always(int)
    versionPriority: Annotated[Int32, Field(8, required=True)] = always(int)


class APIServiceCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(3)] = None
    reason: Annotated[str, Field(4)] = ""
    message: Annotated[str, Field(5)] = ""


class APIServiceStatus(Object):
    conditions: Annotated[
        tuple[APIServiceCondition, ...], Field(1, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class APIService(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apiregistration.k8s.io/v1")
    kind: str = fixed("APIService")
    spec: Annotated[APIServiceSpec, Field(2)] = always(APIServiceSpec)
    status: Annotated[APIServiceStatus, Field(3)] = always(APIServiceStatus)


class APIServiceList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apiregistration.k8s.io/v1")
    kind: str = fixed("APIServiceList")
    items: Annotated[tuple[APIService, ...], Field(2, required=True)] = always(no_items)
