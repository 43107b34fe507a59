"""networking/v1 declarations: ingresses."""

from typing import Annotated, ClassVar

from proa.api.core_v1.reference import TypedLocalObjectReference
from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import ListMeta, ObjectMeta
from proa.machinery.scalars import Int32


class ServiceBackendPort(Object):
    map_type: ClassVar[str] = "atomic"
    name: Annotated[str, Field(1)] = ""
    number: Annotated[Int32, Field(2)] = 0


class IngressServiceBackend(Object):
    name: Annotated[str, Field(1, required=True)] = always(str)
    port: Annotated[ServiceBackendPort, Field(2)] = always(ServiceBackendPort)


class IngressBackend(Object):
    service: Annotated[IngressServiceBackend | None, Field(4)] = None
    resource: Annotated[TypedLocalObjectReference | None, Field(3)] = None


class HTTPIngressPath(Object):
    path: Annotated[str, Field(1)] = ""
    pathType: Annotated[str | None, Field(3, required=True, enum=("Exact", "Prefix", "ImplementationSpecific"))] = None
    backend: Annotated[IngressBackend, Field(2, required=True)] = always(IngressBackend)


class HTTPIngressRuleValue(Object):
    paths: Annotated[tuple[HTTPIngressPath, ...], Field(1, required=True, list="atomic")] = always(no_items)


class IngressRule(Object):
    host: Annotated[str, Field(1)] = ""
    http: HTTPIngressRuleValue | None = None


class IngressTLS(Object):
    hosts: Annotated[tuple[str, ...], Field(1, list="atomic")] = ()
    secretName: Annotated[str, Field(2)] = ""


class IngressSpec(Object):
    ingressClassName: Annotated[str | None, Field(4)] = None
    defaultBackend: Annotated[IngressBackend | None, Field(1)] = None
    tls: Annotated[tuple[IngressTLS, ...], Field(2, list="atomic")] = ()
    rules: Annotated[tuple[IngressRule, ...], Field(3, list="atomic")] = ()


class IngressPortStatus(Object):
    port: Annotated[Int32, Field(1, required=True)] = always(int)
    protocol: Annotated[str, Field(2, required=True, enum=("TCP", "UDP", "SCTP"))] = always(str)
    error: Annotated[str | None, Field(3)] = None


class IngressLoadBalancerIngress(Object):
    ip: Annotated[str, Field(1)] = ""
    hostname: Annotated[str, Field(2)] = ""
    ports: Annotated[tuple[IngressPortStatus, ...], Field(4, list="atomic")] = ()


class IngressLoadBalancerStatus(Object):
    ingress: Annotated[tuple[IngressLoadBalancerIngress, ...], Field(1, list="atomic")] = ()


class IngressStatus(Object):
    loadBalancer: Annotated[IngressLoadBalancerStatus, Field(1)] = always(IngressLoadBalancerStatus)


class Ingress(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("Ingress")
    spec: Annotated[IngressSpec, Field(2)] = always(IngressSpec)
    status: Annotated[IngressStatus, Field(3)] = always(IngressStatus)


class IngressList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("IngressList")
    items: Annotated[tuple[Ingress, ...], Field(2, required=True)] = always(no_items)
