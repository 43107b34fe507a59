"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated

from proa.api.core_v1.container import (
    AppArmorProfile,
    Container,
    ContainerExtendedResourceRequest,
    ContainerStatus,
    EphemeralContainer,
    ResourceRequirements,
    SeccompProfile,
    SELinuxOptions,
    WindowsSecurityContextOptions,
)
from proa.api.core_v1.node import NodeAllocatableResourceClaimStatus
from proa.api.core_v1.placement import Affinity, Toleration, TopologySpreadConstraint
from proa.api.core_v1.reference import LocalObjectReference, ObjectReference
from proa.api.core_v1.volume import Volume
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, Int64, Quantity, Time


class Binding(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Binding")
    target: Annotated[ObjectReference, Field(2, required=True)] = always(ObjectReference)


class HostAlias(Object):
    ip: Annotated[str, Field(1, required=True)] = always(str)
    hostnames: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()


class HostIP(Object):
    ip: Annotated[str, Field(1, required=True)] = always(str)


class PodDNSConfigOption(Object):
    name: Annotated[str, Field(1)] = ""
    value: Annotated[str | None, Field(2)] = None


class PodDNSConfig(Object):
    nameservers: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    searches: Annotated[tuple[str, ...], Field(2, list="atomic")] = ()
    options: Annotated[tuple[PodDNSConfigOption, ...], Field(3, list="atomic")] = ()


class PodOS(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class PodReadinessGate(Object):
    conditionType: Annotated[str, Field(1, required=True)] = always(str)


class PodResourceClaim(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    resourceClaimName: Annotated[str | None, Field(3)] = None
    resourceClaimTemplateName: Annotated[str | None, Field(4)] = None


class PodSchedulingGate(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)


class PodSchedulingGroup(Object):
    podGroupName: Annotated[str | None, Field(1)] = None


class Sysctl(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    value: Annotated[str, Field(2, required=True)] = always(str)


class PodSecurityContext(Object):
    seLinuxOptions: Annotated[SELinuxOptions | None, Field(1)] = None
    windowsOptions: Annotated[WindowsSecurityContextOptions | None, Field(8)] = None
    runAsUser: Annotated[Int64 | None, Field(2, minimum=0, maximum=2147483647)] = None
    runAsGroup: Annotated[Int64 | None, Field(6, minimum=0, maximum=2147483647)] = None
    runAsNonRoot: Annotated[bool | None, Field(3)] = None
    supplementalGroups: Annotated[tuple[Int64, ...], Field(4, list="atomic")] = ()
    supplementalGroupsPolicy: Annotated[str | None, Field(12, enum=("Merge", "Strict"))] = None
    fsGroup: Annotated[Int64 | None, Field(5, minimum=0, maximum=2147483647)] = None
    sysctls: Annotated[tuple[Sysctl, ...], Field(7, list="atomic")] = ()
    fsGroupChangePolicy: Annotated[str | None, Field(9, enum=("OnRootMismatch", "Always"))] = None
    seccompProfile: Annotated[SeccompProfile | None, Field(10)] = None
    appArmorProfile: Annotated[AppArmorProfile | None, Field(11)] = None
    seLinuxChangePolicy: Annotated[str | None, Field(13, enum=("Recursive", "MountOption"))] = None


class PodSpec(Object):
    volumes: Annotated[
        tuple[Volume, ...], Field(1, list="map", keys=("name",), merge="merge,retainKeys", key="name")
    ] = ()
    initContainers: Annotated[
        tuple[Container, ...], Field(20, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    containers: Annotated[
        tuple[Container, ...], Field(2, required=True, list="map", keys=("name",), merge="merge", key="name")
    ] = always(no_items)
    ephemeralContainers: Annotated[
        tuple[EphemeralContainer, ...], Field(34, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    restartPolicy: Annotated[str, Field(3, default="Always", enum=("Always", "OnFailure", "Never"))] = ""
    terminationGracePeriodSeconds: Annotated[Int64 | None, Field(4, default=30)] = None
    activeDeadlineSeconds: Annotated[Int64 | None, Field(5, minimum=1, maximum=2147483647)] = None
    dnsPolicy: Annotated[
        str, Field(6, default="ClusterFirst", enum=("ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"))
    ] = ""
    nodeSelector: Annotated[Mapping[str, str], Field(7, map="atomic")] = {}
    serviceAccountName: Annotated[str, Field(8)] = ""
    serviceAccount: Annotated[str, Field(9)] = ""
    automountServiceAccountToken: Annotated[bool | None, Field(21)] = None
    nodeName: Annotated[str, Field(10)] = ""
    hostNetwork: Annotated[bool, Field(11)] = False
    hostPID: Annotated[bool, Field(12)] = False
    hostIPC: Annotated[bool, Field(13)] = False
    shareProcessNamespace: Annotated[bool | None, Field(27)] = None
    securityContext: Annotated[PodSecurityContext | None, Field(14, default={})] = None
    imagePullSecrets: Annotated[
        tuple[LocalObjectReference, ...], Field(15, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    hostname: Annotated[str, Field(16)] = ""
    subdomain: Annotated[str, Field(17)] = ""
    affinity: Annotated[Affinity | None, Field(18)] = None
    schedulerName: Annotated[str, Field(19, default="default-scheduler")] = ""
    tolerations: Annotated[tuple[Toleration, ...], Field(22, list="atomic")] = ()
    hostAliases: Annotated[tuple[HostAlias, ...], Field(23, list="map", keys=("ip",), merge="merge", key="ip")] = ()
    priorityClassName: Annotated[str, Field(24)] = ""
    priority: Annotated[Int32 | None, Field(25)] = None
    dnsConfig: Annotated[PodDNSConfig | None, Field(26)] = None
    readinessGates: Annotated[tuple[PodReadinessGate, ...], Field(28, list="atomic")] = ()
    runtimeClassName: Annotated[str | None, Field(29)] = None
    enableServiceLinks: Annotated[bool | None, Field(30, default=True)] = None
    preemptionPolicy: Annotated[str | None, Field(31, enum=("PreemptLowerPriority", "Never"))] = None
    overhead: Annotated[Mapping[str, Quantity], Field(32)] = {}
    topologySpreadConstraints: Annotated[
        tuple[TopologySpreadConstraint, ...],
        Field(33, list="map", keys=("topologyKey", "whenUnsatisfiable"), merge="merge", key="topologyKey"),
    ] = ()
    setHostnameAsFQDN: Annotated[bool | None, Field(35)] = None
    os: Annotated[PodOS | None, Field(36)] = None
    hostUsers: Annotated[bool | None, Field(37)] = None
    schedulingGates: Annotated[
        tuple[PodSchedulingGate, ...], Field(38, list="map", keys=("name",), merge="merge", key="name")
    ] = ()
    resourceClaims: Annotated[
        tuple[PodResourceClaim, ...], Field(39, list="map", keys=("name",), merge="merge,retainKeys", key="name")
    ] = ()
    resources: Annotated[ResourceRequirements | None, Field(40)] = None
    hostnameOverride: Annotated[str | None, Field(41)] = None
    schedulingGroup: Annotated[PodSchedulingGroup | None, Field(43)] = None


class PodCondition(Object):
    type: Annotated[str, Field(1, required=True)] = always(str)
    observedGeneration: Annotated[Int64, Field(7)] = 0
    status: Annotated[str, Field(2, required=True)] = always(str)
    lastProbeTime: Annotated[Time | None, Field(3)] = None
    lastTransitionTime: Annotated[Time | None, Field(4)] = None
    reason: Annotated[str, Field(5)] = ""
    message: Annotated[str, Field(6)] = ""


class PodExtendedResourceClaimStatus(Object):
    requestMappings: Annotated[tuple[ContainerExtendedResourceRequest, ...], Field(1, required=True, list="atomic")] = (
        always(no_items)
    )
    resourceClaimName: Annotated[str, Field(2, required=True)] = always(str)


class PodIP(Object):
    ip: Annotated[str, Field(1, required=True)] = always(str)


class PodResourceClaimStatus(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    resourceClaimName: Annotated[str | None, Field(2)] = None


class PodStatus(Object):
    observedGeneration: Annotated[Int64, Field(17)] = 0
    phase: Annotated[str, Field(1, default="Pending")] = ""
    conditions: Annotated[
        tuple[PodCondition, ...], Field(2, list="map", keys=("type",), merge="merge", key="type")
    ] = ()
    message: Annotated[str, Field(3)] = ""
    reason: Annotated[str, Field(4)] = ""
    nominatedNodeName: Annotated[str, Field(11)] = ""
    hostIP: Annotated[str, Field(5)] = ""
    hostIPs: Annotated[tuple[HostIP, ...], Field(16, list="atomic", merge="merge", key="ip")] = ()
    podIP: Annotated[str, Field(6)] = ""
    podIPs: Annotated[tuple[PodIP, ...], Field(12, list="map", keys=("ip",), merge="merge", key="ip")] = ()
    startTime: Annotated[Time | None, Field(7)] = None
    initContainerStatuses: Annotated[tuple[ContainerStatus, ...], Field(10, list="atomic")] = ()
    containerStatuses: Annotated[tuple[ContainerStatus, ...], Field(8, list="atomic")] = ()
    qosClass: Annotated[str, Field(9)] = ""
    ephemeralContainerStatuses: Annotated[tuple[ContainerStatus, ...], Field(13, list="atomic")] = ()
    resize: Annotated[str, Field(14)] = ""
    resourceClaimStatuses: Annotated[
        tuple[PodResourceClaimStatus, ...], Field(15, list="map", keys=("name",), merge="merge,retainKeys", key="name")
    ] = ()
    extendedResourceClaimStatus: Annotated[PodExtendedResourceClaimStatus | None, Field(18)] = None
    allocatedResources: Annotated[Mapping[str, Quantity], Field(19)] = {}
    resources: Annotated[ResourceRequirements | None, Field(20)] = None
    nodeAllocatableResourceClaimStatuses: Annotated[
        tuple[NodeAllocatableResourceClaimStatus, ...], Field(21, list="atomic")
    ] = ()


class Pod(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Pod")
    spec: Annotated[PodSpec, Field(2)] = always(PodSpec)
    status: Annotated[PodStatus, Field(3)] = always(PodStatus)


class PodList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("PodList")
    items: Annotated[tuple[Pod, ...], Field(2, required=True)] = always(no_items)
