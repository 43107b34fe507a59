"""node/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.placement import Toleration
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Quantity


class Overhead(Object):
    podFixed: Annotated[Mapping[str, Quantity], Field(1)] = {}


class Scheduling(Object):
    nodeSelector: Annotated[Mapping[str, str], Field(1, map="atomic")] = {}
    tolerations: Annotated[tuple[Toleration, ...], Field(2, list="atomic")] = ()


class RuntimeClass(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("node.k8s.io/v1")
    kind: str = fixed("RuntimeClass")
    handler: Annotated[str, Field(2, required=True)] = always(str)
    overhead: Annotated[Overhead | None, Field(3)] = None
    scheduling: Annotated[Scheduling | None, Field(4)] = None


class RuntimeClassList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("node.k8s.io/v1")
    kind: str = fixed("RuntimeClassList")
    items: Annotated[tuple[RuntimeClass, ...], Field(2, required=True)] = always(no_items)
