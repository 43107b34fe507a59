"""core/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.reference import LocalObjectReference, ObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Time


class NamespaceSpec(Object):
    finalizers: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()


class NamespaceCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastTransitionTime: Annotated[Time | None, Field(4)] = None
    reason: Annotated[str, Field(5)] = ""
    message: Annotated[str, Field(6)] = ""


class NamespaceStatus(Object):
    phase: Annotated[str, Field(1, default="Active")] = ""
    conditions: Annotated[
        tuple[NamespaceCondition, ...], Field(2, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class Namespace(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Namespace")
    spec: Annotated[NamespaceSpec, Field(2)] = always(NamespaceSpec)
    status: Annotated[NamespaceStatus, Field(3)] = always(NamespaceStatus)


class NamespaceList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("NamespaceList")
    items: Annotated[tuple[Namespace, ...], Field(2, required=True)] = always(no_items)


class ServiceAccount(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ServiceAccount")
    secrets: Annotated[
        tuple[ObjectReference, ...], Field(2, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    imagePullSecrets: Annotated[tuple[LocalObjectReference, ...], Field(3, list="atomic")] = ()
    automountServiceAccountToken: Annotated[bool | None, Field(4)] = None


class ServiceAccountList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ServiceAccountList")
    items: Annotated[tuple[ServiceAccount, ...], Field(2, required=True)] = always(no_items)
