"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Quantity


class LimitRangeItem(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    max: Annotated[Mapping[str, Quantity], Field(2)] = {}
    min: Annotated[Mapping[str, Quantity], Field(3)] = {}
    default: Annotated[Mapping[str, Quantity], Field(4)] = {}
    defaultRequest: Annotated[Mapping[str, Quantity], Field(5)] = {}
    maxLimitRequestRatio: Annotated[Mapping[str, Quantity], Field(6)] = {}


class LimitRangeSpec(Object):
    limits: Annotated[tuple[LimitRangeItem, ...], Field(1, required=True, list="atomic")] = always(no_items)


class LimitRange(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("LimitRange")
    spec: Annotated[LimitRangeSpec, Field(2)] = always(LimitRangeSpec)


class LimitRangeList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("LimitRangeList")
    items: Annotated[tuple[LimitRange, ...], Field(2, required=True)] = always(no_items)


class ScopedResourceSelectorRequirement(Object):
    scopeName: Annotated[
        str,
        Field(
            1,
            required=True,
            enum=(
                "Terminating",
                "NotTerminating",
                "BestEffort",
                "NotBestEffort",
                "PriorityClass",
                "CrossNamespacePodAffinity",
                "VolumeAttributesClass",
            ),
        ),
    ] = always(str)
    operator: Annotated[str, Field(2, required=True, enum=("In", "NotIn", "Exists", "DoesNotExist"))] = always(str)
    values: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()


class ScopeSelector(Object):
    map_type: ClassVar[str] = "atomic"
    matchExpressions: Annotated[tuple[ScopedResourceSelectorRequirement, ...], Field(1, list="atomic")] = ()


class ResourceQuotaSpec(Object):
    hard: Annotated[Mapping[str, Quantity], Field(1)] = {}
    scopes: Annotated[
        tuple[str, ...],
        Field(
            2,
            enum=(
                "Terminating",
                "NotTerminating",
                "BestEffort",
                "NotBestEffort",
                "PriorityClass",
                "CrossNamespacePodAffinity",
                "VolumeAttributesClass",
            ),
            list="atomic",
        ),
    ] = ()
    scopeSelector: Annotated[ScopeSelector | None, Field(3)] = None


class ResourceQuotaStatus(Object):
    hard: Annotated[Mapping[str, Quantity], Field(1)] = {}
    used: Annotated[Mapping[str, Quantity], Field(2)] = {}


class ResourceQuota(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ResourceQuota")
    spec: Annotated[ResourceQuotaSpec, Field(2)] = always(ResourceQuotaSpec)
    status: Annotated[ResourceQuotaStatus, Field(3)] = always(ResourceQuotaStatus)


class ResourceQuotaList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ResourceQuotaList")
    items: Annotated[tuple[ResourceQuota, ...], Field(2, required=True)] = always(no_items)
