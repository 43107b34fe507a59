"""autoscaling/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed
from proa.machinery.meta import ObjectMeta
from proa.machinery.scalars import Int32


class ScaleSpec(Object):
    replicas: Annotated[Int32, Field(1)] = 0


class ScaleStatus(Object):
    replicas: Annotated[Int32, Field(1, required=True)] = always(int)
    selector: Annotated[str, Field(2)] = ""


class Scale(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("autoscaling/v1")
    kind: str = fixed("Scale")
    spec: Annotated[ScaleSpec, Field(2)] = always(ScaleSpec)
    status: Annotated[ScaleStatus, Field(3)] = always(ScaleStatus)
