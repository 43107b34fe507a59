"""scheduling/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32


class PriorityClass(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("scheduling.k8s.io/v1")
    kind: str = fixed("PriorityClass")
    value: Annotated[Int32, Field(2)] = always(int)
    globalDefault: Annotated[bool, Field(3)] = False
    description: Annotated[str, Field(4)] = ""
    preemptionPolicy: Annotated[str | None, Field(5, default="PreemptLowerPriority")] = None


class PriorityClassList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("scheduling.k8s.io/v1")
    kind: str = fixed("PriorityClassList")
    items: Annotated[tuple[PriorityClass, ...], Field(2, required=True)] = always(no_items)
