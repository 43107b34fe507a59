"""apidiscovery.k8s.io/v2: everything a server serves as one document. The types; `discovery` makes the documents."""

from typing import Annotated

from proa.machinery.declare import Field, Object, always, fixed
from proa.machinery.meta import ListMeta, ObjectMeta


class GroupVersionKind(Object):
    group: Annotated[str, Field(1, required=True)] = always(str)
    version: Annotated[str, Field(2, required=True)] = always(str)
    kind: Annotated[str, Field(3, required=True)] = always(str)


class APISubresourceDiscovery(Object):
    subresource: Annotated[str, Field(1, required=True)] = always(str)
    responseKind: Annotated[GroupVersionKind | None, Field(2)] = None
    acceptedTypes: Annotated[tuple[GroupVersionKind, ...], Field(3, list="map", keys=("group", "version", "kind"))] = ()
    verbs: Annotated[tuple[str, ...], Field(4, required=True, list="set")] = ()


class APIResourceDiscovery(Object):
    resource: Annotated[str, Field(1, required=True)] = always(str)
    responseKind: Annotated[GroupVersionKind | None, Field(2)] = None
    scope: Annotated[str, Field(3, required=True)] = always(str)
    singularResource: Annotated[str, Field(4, required=True)] = always(str)
    verbs: Annotated[tuple[str, ...], Field(5, required=True, list="set")] = ()
    shortNames: Annotated[tuple[str, ...], Field(6, list="set")] = ()
    categories: Annotated[tuple[str, ...], Field(7, list="set")] = ()
    subresources: Annotated[tuple[APISubresourceDiscovery, ...], Field(8, list="map", keys=("subresource",))] = ()


class APIVersionDiscovery(Object):
    version: Annotated[str, Field(1, required=True)] = always(str)
    resources: Annotated[tuple[APIResourceDiscovery, ...], Field(2, list="map", keys=("resource",))] = ()
    freshness: Annotated[str, Field(3)] = ""


class APIGroupDiscovery(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = ""
    kind: str = ""
    versions: Annotated[tuple[APIVersionDiscovery, ...], Field(2, list="map", keys=("version",))] = ()


class APIGroupDiscoveryList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("apidiscovery.k8s.io/v2")
    kind: str = fixed("APIGroupDiscoveryList")
    items: Annotated[tuple[APIGroupDiscovery, ...], Field(2, required=True)] = ()
