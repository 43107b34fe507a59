"""core/v1 declarations."""

from typing import Annotated

from proa.api.core_v1.pod import PodSpec
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta


class PodTemplateSpec(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    spec: Annotated[PodSpec, Field(2)] = always(PodSpec)


class PodTemplate(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PodTemplate")
    template: Annotated[PodTemplateSpec, Field(2)] = always(PodTemplateSpec)


class PodTemplateList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PodTemplateList")
    items: Annotated[tuple[PodTemplate, ...], Field(2, required=True)] = always(no_items)
