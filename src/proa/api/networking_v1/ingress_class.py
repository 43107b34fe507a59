"""networking/v1 declarations: classes of ingresses."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta


class IngressClassParametersReference(Object):
    apiGroup: Annotated[str | None, Field(1)] = None
    kind: Annotated[str, Field(2, required=True)] = always(str)
    name: Annotated[str, Field(3, required=True)] = always(str)
    scope: Annotated[str | None, Field(4, default="Cluster", enum=("Cluster", "Namespace"))] = None
    namespace: Annotated[str | None, Field(5)] = None


class IngressClassSpec(Object):
    controller: Annotated[str, Field(1)] = ""
    parameters: Annotated[IngressClassParametersReference | None, Field(2)] = None


class IngressClass(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("IngressClass")
    spec: Annotated[IngressClassSpec, Field(2)] = always(IngressClassSpec)


class IngressClassList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("IngressClassList")
    items: Annotated[tuple[IngressClass, ...], Field(2, required=True)] = always(no_items)
