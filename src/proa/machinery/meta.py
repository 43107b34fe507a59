"""What every object carries, and the objects the API machinery itself speaks (meta/v1)."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from msgspec import field

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.scalars import FieldsV1, Int32, Int64, RawExtension, Time


class OwnerReference(Object):
    map_type: ClassVar[str] = "atomic"
    apiVersion: Annotated[str, Field(5, required=True)] = always(str)
    kind: Annotated[str, Field(1, required=True)] = always(str)
    name: Annotated[str, Field(3, required=True)] = always(str)
    uid: Annotated[str, Field(4, required=True)] = always(str)
    controller: Annotated[bool | None, Field(6)] = None
    blockOwnerDeletion: Annotated[bool | None, Field(7)] = None


class ManagedFieldsEntry(Object):
    manager: Annotated[str, Field(1)] = ""
    operation: Annotated[str, Field(2)] = ""
    apiVersion: Annotated[str, Field(3)] = ""
    time: Annotated[Time | None, Field(4)] = None
    fieldsType: Annotated[str, Field(6)] = ""
    fieldsV1: Annotated[FieldsV1 | None, Field(7)] = None
    subresource: Annotated[str, Field(8)] = ""


class ObjectMeta(Object):
    name: Annotated[str, Field(1)] = ""
    generateName: Annotated[str, Field(2)] = ""
    namespace: Annotated[str, Field(3)] = ""
    selfLink: Annotated[str, Field(4)] = ""
    uid: Annotated[str, Field(5)] = ""
    resourceVersion: Annotated[str, Field(6)] = ""
    generation: Annotated[Int64, Field(7)] = 0
    creationTimestamp: Annotated[Time | None, Field(8)] = None
    deletionTimestamp: Annotated[Time | None, Field(9)] = None
    deletionGracePeriodSeconds: Annotated[Int64 | None, Field(10)] = None
    labels: Annotated[Mapping[str, str], Field(11)] = {}
    annotations: Annotated[Mapping[str, str], Field(12)] = {}
    ownerReferences: Annotated[
        tuple[OwnerReference, ...], Field(13, list="map", keys=("uid",), merge="merge", key="uid")
    ] = ()
    finalizers: Annotated[tuple[str, ...], Field(14, list="set", merge="merge")] = ()
    managedFields: Annotated[tuple[ManagedFieldsEntry, ...], Field(17, list="atomic")] = ()


class ShardInfo(Object):
    selector: Annotated[str, Field(1, required=True)] = always(str)


class ListMeta(Object):
    selfLink: Annotated[str, Field(1)] = ""
    resourceVersion: Annotated[str, Field(2)] = ""
    continue_: Annotated[str, Field(3)] = field(default="", name="continue")
    remainingItemCount: Annotated[Int64 | None, Field(4)] = None
    shardInfo: Annotated[ShardInfo | None, Field(5)] = None


class GroupResource(Object):
    group: Annotated[str, Field(1, required=True)] = always(str)
    resource: Annotated[str, Field(2, required=True)] = always(str)


class LabelSelectorRequirement(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    operator: Annotated[str, Field(2, required=True)] = always(str)
    values: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()


class LabelSelector(Object):
    map_type: ClassVar[str] = "atomic"
    matchLabels: Annotated[Mapping[str, str], Field(1)] = {}
    matchExpressions: Annotated[tuple[LabelSelectorRequirement, ...], Field(2, list="atomic")] = ()


class Condition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    observedGeneration: Annotated[Int64, Field(3)] = 0
    lastTransitionTime: Annotated[Time | None, Field(4, required=True)] = None
    reason: Annotated[str, Field(5, required=True)] = always(str)
    message: Annotated[str, Field(6, required=True)] = always(str)


class StatusCause(Object):
    reason: Annotated[str, Field(1)] = ""
    message: Annotated[str, Field(2)] = ""
    field: Annotated[str, Field(3)] = ""


class StatusDetails(Object):
    name: Annotated[str, Field(1)] = ""
    group: Annotated[str, Field(2)] = ""
    kind: Annotated[str, Field(3)] = ""
    uid: Annotated[str, Field(6)] = ""
    causes: Annotated[tuple[StatusCause, ...], Field(4, list="atomic")] = ()
    retryAfterSeconds: Annotated[Int32, Field(5)] = 0


class Status(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Status")
    status: Annotated[str, Field(2)] = ""
    message: Annotated[str, Field(3)] = ""
    reason: Annotated[str, Field(4)] = ""
    details: Annotated[StatusDetails | None, Field(5)] = None
    code: Annotated[Int32, Field(6)] = 0


class Preconditions(Object):
    uid: Annotated[str | None, Field(1)] = None
    resourceVersion: Annotated[str | None, Field(2)] = None


class DeleteOptions(Object):
    apiVersion: str = ""
    kind: str = ""
    gracePeriodSeconds: Annotated[Int64 | None, Field(1)] = None
    preconditions: Annotated[Preconditions | None, Field(2)] = None
    orphanDependents: Annotated[bool | None, Field(3)] = None
    propagationPolicy: Annotated[str | None, Field(4)] = None
    dryRun: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()
    ignoreStoreReadErrorWithClusterBreakingPotential: Annotated[bool | None, Field(6)] = None


class FieldSelectorRequirement(Object):
    key: Annotated[str, Field(1, required=True)] = always(str)
    operator: Annotated[str, Field(2, required=True)] = always(str)
    values: Annotated[tuple[str, ...], Field(3, list="atomic")] = ()


class GroupVersionForDiscovery(Object):
    groupVersion: Annotated[str, Field(1, required=True)] = always(str)
    version: Annotated[str, Field(2, required=True)] = always(str)


class ServerAddressByClientCIDR(Object):
    clientCIDR: Annotated[str, Field(1, required=True)] = always(str)
    serverAddress: Annotated[str, Field(2, required=True)] = always(str)


class APIGroup(Object):
    apiVersion: str = fixed("v1")
    kind: str = fixed("APIGroup")
    name: Annotated[str, Field(1, required=True)] = always(str)
    versions: Annotated[tuple[GroupVersionForDiscovery, ...], Field(2, required=True, list="atomic")] = always(no_items)
    preferredVersion: Annotated[GroupVersionForDiscovery, Field(3)] = always(GroupVersionForDiscovery)
    serverAddressByClientCIDRs: Annotated[tuple[ServerAddressByClientCIDR, ...], Field(4, list="atomic")] = ()


class APIGroupList(Object):
    apiVersion: str = fixed("v1")
    kind: str = fixed("APIGroupList")
    groups: Annotated[tuple[APIGroup, ...], Field(1, required=True, list="atomic")] = always(no_items)


class APIResource(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    singularName: Annotated[str, Field(6, required=True)] = always(str)
    namespaced: Annotated[bool, Field(2, required=True)] = always(bool)
    group: Annotated[str, Field(8)] = ""
    version: Annotated[str, Field(9)] = ""
    kind: Annotated[str, Field(3, required=True)] = always(str)
    verbs: Annotated[tuple[str, ...], Field(4, required=True)] = always(no_items)
    shortNames: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()
    categories: Annotated[tuple[str, ...], Field(7, list="atomic")] = ()
    storageVersionHash: Annotated[str, Field(10)] = ""


class APIResourceList(Object):
    apiVersion: str = fixed("v1")
    kind: str = fixed("APIResourceList")
    groupVersion: Annotated[str, Field(1, required=True)] = always(str)
    resources: Annotated[tuple[APIResource, ...], Field(2, required=True, list="atomic")] = always(no_items)


class APIVersions(Object):
    apiVersion: str = fixed("v1")
    kind: str = fixed("APIVersions")
    versions: Annotated[tuple[str, ...], Field(1, required=True, list="atomic")] = always(no_items)
    serverAddressByClientCIDRs: Annotated[
        tuple[ServerAddressByClientCIDR, ...], Field(2, required=True, list="atomic")
    ] = always(no_items)


class WatchEvent(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    object: Annotated[RawExtension | None, Field(2, required=True)] = None
