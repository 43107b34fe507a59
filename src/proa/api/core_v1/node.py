"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.placement import Taint
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Quantity, Time


class AttachedVolume(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    devicePath: Annotated[str, Field(2, required=True)] = always(str)


class ConfigMapNodeConfigSource(Object):
    namespace: Annotated[str, Field(1, required=True)] = always(str)
    name: Annotated[str, Field(2, required=True)] = always(str)
    uid: Annotated[str, Field(3)] = ""
    resourceVersion: Annotated[str, Field(4)] = ""
    kubeletConfigKey: Annotated[str, Field(5, required=True)] = always(str)


class ContainerImage(Object):
    names: Annotated[tuple[str, ...], Field(1, list="atomic")] = always(no_items)
    sizeBytes: Annotated[Int64, Field(2)] = 0


class DaemonEndpoint(Object):
    Port: Annotated[Int32, Field(1, required=True)] = always(int)


class NodeConfigSource(Object):
    configMap: Annotated[ConfigMapNodeConfigSource | None, Field(2)] = None


class NodeSpec(Object):
    podCIDR: Annotated[str, Field(1)] = ""
    podCIDRs: Annotated[tuple[str, ...], Field(7, list="set", merge="merge")] = ()
    providerID: Annotated[str, Field(3)] = ""
    unschedulable: Annotated[bool, Field(4)] = False
    taints: Annotated[tuple[Taint, ...], Field(5, list="atomic")] = ()
    configSource: Annotated[NodeConfigSource | None, Field(6)] = None
    externalID: Annotated[str, Field(2)] = ""


class NodeAddress(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    address: Annotated[str, Field(2, required=True)] = always(str)


class NodeCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastHeartbeatTime: Annotated[Time | None, Field(3)] = None
    lastTransitionTime: Annotated[Time | None, Field(4)] = None
    reason: Annotated[str, Field(5)] = ""
    message: Annotated[str, Field(6)] = ""


class NodeConfigStatus(Object):
    assigned: Annotated[NodeConfigSource | None, Field(1)] = None
    active: Annotated[NodeConfigSource | None, Field(2)] = None
    lastKnownGood: Annotated[NodeConfigSource | None, Field(3)] = None
    error: Annotated[str, Field(4)] = ""


class NodeDaemonEndpoints(Object):
    kubeletEndpoint: Annotated[DaemonEndpoint, Field(1)] = always(DaemonEndpoint)


class NodeFeatures(Object):
    supplementalGroupsPolicy: Annotated[bool | None, Field(1)] = None


class NodeRuntimeHandlerFeatures(Object):
    recursiveReadOnlyMounts: Annotated[bool | None, Field(1)] = None
    userNamespaces: Annotated[bool | None, Field(2)] = None


class NodeRuntimeHandler(Object):
    name: Annotated[str, Field(1)] = always(str)
    features: Annotated[NodeRuntimeHandlerFeatures | None, Field(2)] = None


class NodeSwapStatus(Object):
    capacity: Annotated[Int64 | None, Field(1)] = None


class NodeSystemInfo(Object):
    machineID: Annotated[str, Field(1, required=True)] = always(str)
    systemUUID: Annotated[str, Field(2, required=True)] = always(str)
    bootID: Annotated[str, Field(3, required=True)] = always(str)
    kernelVersion: Annotated[str, Field(4, required=True)] = always(str)
    osImage: Annotated[str, Field(5, required=True)] = always(str)
    containerRuntimeVersion: Annotated[str, Field(6, required=True)] = always(str)
    kubeletVersion: Annotated[str, Field(7, required=True)] = always(str)
    kubeProxyVersion: Annotated[str, Field(8, required=True)] = always(str)
    operatingSystem: Annotated[str, Field(9, required=True)] = always(str)
    architecture: Annotated[str, Field(10, required=True)] = always(str)
    swap: Annotated[NodeSwapStatus | None, Field(11)] = None


class NodeStatus(Object):
    capacity: Annotated[Mapping[str, Quantity], Field(1)] = {}
    allocatable: Annotated[Mapping[str, Quantity], Field(2)] = {}
    phase: Annotated[str, Field(3)] = ""
    conditions: Annotated[
        tuple[NodeCondition, ...], Field(4, list="map", keys=("type",), merge="merge", key="type")
    ] = ()
    addresses: Annotated[tuple[NodeAddress, ...], Field(5, list="map", keys=("type",), merge="merge", key="type")] = ()
    daemonEndpoints: Annotated[NodeDaemonEndpoints, Field(6)] = always(NodeDaemonEndpoints)
    nodeInfo: Annotated[NodeSystemInfo, Field(7)] = always(NodeSystemInfo)
    images: Annotated[tuple[ContainerImage, ...], Field(8, list="atomic")] = ()
    volumesInUse: Annotated[tuple[str, ...], Field(9, list="atomic")] = ()
    volumesAttached: Annotated[tuple[AttachedVolume, ...], Field(10, list="atomic")] = ()
    config: Annotated[NodeConfigStatus | None, Field(11)] = None
    runtimeHandlers: Annotated[tuple[NodeRuntimeHandler, ...], Field(12, list="atomic")] = ()
    features: Annotated[NodeFeatures | None, Field(13)] = None
    declaredFeatures: Annotated[tuple[str, ...], Field(14, list="atomic")] = ()


class Node(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Node")
    spec: Annotated[NodeSpec, Field(2)] = always(NodeSpec)
    status: Annotated[NodeStatus, Field(3)] = always(NodeStatus)


class NodeAllocatableResourceClaimStatus(Object):
    resourceClaimName: Annotated[str, Field(1, required=True)] = always(str)
    containers: Annotated[tuple[str, ...], Field(2, list="set")] = ()
    resources: Annotated[Mapping[str, Quantity], Field(3, required=True)] = {}


class NodeList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("NodeList")
    items: Annotated[tuple[Node, ...], Field(2, required=True)] = always(no_items)
