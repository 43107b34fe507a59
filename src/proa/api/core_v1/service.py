"""core/v1 declarations."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

from proa.api.core_v1.reference import ObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import Condition, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, IntOrString


class ClientIPConfig(Object):
    timeoutSeconds: Annotated[Int32 | None, Field(1)] = None


class EndpointAddress(Object):
    map_type: ClassVar[str] = "atomic"
    ip: Annotated[str, Field(1, required=True)] = always(str)
    hostname: Annotated[str, Field(3)] = ""
    nodeName: Annotated[str | None, Field(4)] = None
    targetRef: Annotated[ObjectReference | None, Field(2)] = None


class EndpointPort(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str, Field(1, default="")] = ""
    port: Annotated[Int32, Field(2, required=True, minimum=0, maximum=65535)] = always(int)
    protocol: Annotated[str, Field(3, default="TCP", enum=("TCP", "UDP", "SCTP"))] = ""
    appProtocol: Annotated[str | None, Field(4)] = None


class EndpointSubset(Object):
    addresses: Annotated[tuple[EndpointAddress, ...], Field(1, list="atomic")] = ()
    notReadyAddresses: Annotated[tuple[EndpointAddress, ...], Field(2, list="atomic")] = ()
    ports: Annotated[tuple[EndpointPort, ...], Field(3, list="atomic")] = ()


class Endpoints(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Endpoints")
    subsets: Annotated[tuple[EndpointSubset, ...], Field(2, list="atomic")] = ()


class EndpointsList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("EndpointsList")
    items: Annotated[tuple[Endpoints, ...], Field(2, required=True)] = always(no_items)


class PortStatus(Object):
    port: Annotated[Int32, Field(1, required=True)] = always(int)
    protocol: Annotated[str, Field(2, required=True)] = always(str)
    error: Annotated[str | None, Field(3)] = None


class LoadBalancerIngress(Object):
    ip: Annotated[str, Field(1)] = ""
    hostname: Annotated[str, Field(2)] = ""
    ipMode: Annotated[str | None, Field(3, enum=("Proxy", "VIP"))] = None
    ports: Annotated[tuple[PortStatus, ...], Field(4, list="atomic")] = ()


class LoadBalancerStatus(Object):
    ingress: Annotated[tuple[LoadBalancerIngress, ...], Field(1, list="atomic")] = ()


class ServicePort(Object):
    name: Annotated[str, Field(1)] = ""
    protocol: Annotated[str, Field(2, default="TCP", enum=("TCP", "UDP", "SCTP"))] = ""
    appProtocol: Annotated[str | None, Field(6)] = None
    port: Annotated[Int32, Field(3, required=True, minimum=1, maximum=65535)] = always(int)
    targetPort: Annotated[IntOrString | None, Field(4)] = None
    nodePort: Annotated[Int32, Field(5, minimum=0, maximum=65535)] = 0


class SessionAffinityConfig(Object):
    clientIP: Annotated[ClientIPConfig | None, Field(1)] = None


class ServiceSpec(Object):
    ports: Annotated[
        tuple[ServicePort, ...], Field(1, list="map", keys=("port", "protocol"), merge="merge", key="port")
    ] = ()
    selector: Annotated[Mapping[str, str], Field(2, map="atomic")] = {}
    clusterIP: Annotated[str, Field(3)] = ""
    clusterIPs: Annotated[tuple[str, ...], Field(18, list="atomic")] = ()
    type: Annotated[
        str, Field(4, default="ClusterIP", enum=("ClusterIP", "NodePort", "LoadBalancer", "ExternalName"))
    ] = ""
    externalIPs: Annotated[tuple[str, ...], Field(5, list="atomic")] = ()
    sessionAffinity: Annotated[str, Field(7, default="None", enum=("ClientIP", "None"))] = ""
    loadBalancerIP: Annotated[str, Field(8)] = ""
    loadBalancerSourceRanges: Annotated[tuple[str, ...], Field(9, list="atomic")] = ()
    externalName: Annotated[str, Field(10)] = ""
    externalTrafficPolicy: Annotated[str, Field(11, enum=("Cluster", "Local"))] = ""
    healthCheckNodePort: Annotated[Int32, Field(12)] = 0
    publishNotReadyAddresses: Annotated[bool, Field(13)] = False
    sessionAffinityConfig: Annotated[SessionAffinityConfig | None, Field(14)] = None
    ipFamilies: Annotated[tuple[str, ...], Field(19, enum=("IPv4", "IPv6", ""), list="atomic")] = ()
    ipFamilyPolicy: Annotated[str | None, Field(17, enum=("SingleStack", "PreferDualStack", "RequireDualStack"))] = None
    allocateLoadBalancerNodePorts: Annotated[bool | None, Field(20)] = None
    loadBalancerClass: Annotated[str | None, Field(21)] = None
    internalTrafficPolicy: Annotated[str | None, Field(22, enum=("Cluster", "Local"))] = None
    trafficDistribution: Annotated[str | None, Field(23)] = None


class ServiceStatus(Object):
    loadBalancer: Annotated[LoadBalancerStatus, Field(1)] = always(LoadBalancerStatus)
    conditions: Annotated[tuple[Condition, ...], Field(2, list="map", keys=("type",), merge="merge", key="type")] = ()


class Service(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("Service")
    spec: Annotated[ServiceSpec, Field(2)] = always(ServiceSpec)
    status: Annotated[ServiceStatus, Field(3)] = always(ServiceStatus)


class ServiceList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("v1")
    kind: str = fixed("ServiceList")
    items: Annotated[tuple[Service, ...], Field(2, required=True)] = always(no_items)
