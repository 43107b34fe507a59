"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Bytes


class ConfigMap(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ConfigMap")
    immutable: Annotated[bool | None, Field(4)] = None
    data: Annotated[Mapping[str, str], Field(2)] = {}
    binaryData: Annotated[Mapping[str, Bytes], Field(3)] = {}


class ConfigMapList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ConfigMapList")
    items: Annotated[tuple[ConfigMap, ...], Field(2, required=True)] = always(no_items)


class Secret(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Secret")
    immutable: Annotated[bool | None, Field(5)] = None
    data: Annotated[Mapping[str, Bytes], Field(2)] = {}
    stringData: Annotated[Mapping[str, str], Field(4)] = {}
    type: Annotated[str, Field(3, default="Opaque")] = ""


class SecretList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("SecretList")
    items: Annotated[tuple[Secret, ...], Field(2, required=True)] = always(no_items)
