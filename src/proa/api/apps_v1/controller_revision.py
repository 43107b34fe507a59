"""apps/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int64, RawExtension


class ControllerRevision(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("ControllerRevision")
    data: Annotated[RawExtension | None, Field(2)] = None
    revision: Annotated[Int64, Field(3, required=True)] = always(int)


class ControllerRevisionList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apps/v1")
    kind: str = fixed("ControllerRevisionList")
    items: Annotated[tuple[ControllerRevision, ...], Field(2, required=True)] = always(no_items)
