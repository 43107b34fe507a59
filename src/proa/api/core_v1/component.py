"""core/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta


class ComponentCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    message: Annotated[str, Field(3)] = ""
    error: Annotated[str, Field(4)] = ""


class ComponentStatus(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ComponentStatus")
    conditions: Annotated[
        tuple[ComponentCondition, ...], Field(2, list="map", keys=("type",), merge="merge", key="type")
    ] = ()


class ComponentStatusList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ComponentStatusList")
    items: Annotated[tuple[ComponentStatus, ...], Field(2, required=True)] = always(no_items)
