"""core/v1 declarations."""

from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always
from proa.machinery.scalars import Quantity


class ConfigMapKeySelector(Object):
    map_type: ClassVar[str] = "atomic"
    name: str = ""
    key: Annotated[str, Field(2, required=True)] = always(str)
    optional: Annotated[bool | None, Field(3)] = None


class FileKeySelector(Object):
    map_type: ClassVar[str] = "atomic"
    volumeName: Annotated[str, Field(1, required=True)] = always(str)
    path: Annotated[str, Field(2, required=True)] = always(str)
    key: Annotated[str, Field(3, required=True)] = always(str)
    optional: Annotated[bool | None, Field(4)] = None


class LocalObjectReference(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str, Field(1)] = ""


class ObjectFieldSelector(Object):
    map_type: ClassVar[str] = "atomic"
    apiVersion: Annotated[str, Field(1, default="v1")] = ""
    fieldPath: Annotated[str, Field(2, required=True)] = always(str)


class ObjectReference(Object):
    map_type: ClassVar[str] = "atomic"
    kind: Annotated[str, Field(1)] = ""
    namespace: Annotated[str, Field(2)] = ""
    name: Annotated[str, Field(3)] = ""
    uid: Annotated[str, Field(4)] = ""
    apiVersion: Annotated[str, Field(5)] = ""
    resourceVersion: Annotated[str, Field(6)] = ""
    fieldPath: Annotated[str, Field(7)] = ""


class ResourceFieldSelector(Object):
    map_type: ClassVar[str] = "atomic"
    containerName: Annotated[str, Field(1)] = ""
    resource: Annotated[str, Field(2, required=True)] = always(str)
    divisor: Annotated[Quantity | None, Field(3)] = None


class SecretKeySelector(Object):
    map_type: ClassVar[str] = "atomic"
    name: str = ""
    key: Annotated[str, Field(2, required=True)] = always(str)
    optional: Annotated[bool | None, Field(3)] = None


class SecretReference(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str, Field(1)] = ""
    namespace: Annotated[str, Field(2)] = ""


class TypedLocalObjectReference(Object):
    map_type: ClassVar[str] = "atomic"
    apiGroup: Annotated[str | None, Field(1)] = None
    kind: Annotated[str, Field(2, required=True)] = always(str)
    name: Annotated[str, Field(3, required=True)] = always(str)


class TypedObjectReference(Object):
    apiGroup: Annotated[str | None, Field(1)] = None
    kind: Annotated[str, Field(2, required=True)] = always(str)
    name: Annotated[str, Field(3, required=True)] = always(str)
    namespace: Annotated[str | None, Field(4)] = None
