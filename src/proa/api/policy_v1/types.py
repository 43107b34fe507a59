"""policy/v1 declarations."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed
from proa.machinery.meta import DeleteOptions, ObjectMeta


class Eviction(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("policy/v1")
    kind: str = fixed("Eviction")
    deleteOptions: Annotated[DeleteOptions | None, Field(2)] = None
