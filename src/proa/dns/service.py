"""How pods reach the node's DNS server: the objects of kube-system/kube-dns.

One Service without a selector at the cluster's DNS address, internalTrafficPolicy Local, and one EndpointSlice a node
with the node's own server as its only endpoint. So the service proxy leads each pod to its own node with its ordinary
rules, a node's failure takes away only its own slice, and host processes reach DNS by the same address.
"""

from __future__ import annotations

from proa.api.core_v1.service import Service, ServicePort, ServiceSpec
from proa.api.discovery_v1.types import Endpoint, EndpointConditions, EndpointPort, EndpointSlice
from proa.machinery.meta import ObjectMeta, OwnerReference

NAMESPACE = "kube-system"
NAME = "kube-dns"
PORT = 53
_MANAGER = "dns.proa.dev"
_PORTS = (("dns", "UDP"), ("dns-tcp", "TCP"))


def cluster_service(cluster_ip: str) -> Service:
    """The Service at `cluster_ip` (conventionally the tenth address of the service range)."""
    return Service(
        metadata=ObjectMeta(
            name=NAME,
            namespace=NAMESPACE,
            labels={"k8s-app": NAME, "kubernetes.io/name": "CoreDNS", "kubernetes.io/cluster-service": "true"},
        ),
        spec=ServiceSpec(
            clusterIP=cluster_ip,
            clusterIPs=(cluster_ip,),
            internalTrafficPolicy="Local",
            ports=tuple(ServicePort(name=name, protocol=protocol, port=PORT) for name, protocol in _PORTS),
        ),
    )


def node_slice(node: str, node_uid: str, address: str) -> EndpointSlice:
    """The node's endpoint; owned by the Node, so that it goes with it."""
    return EndpointSlice(
        metadata=ObjectMeta(
            name=f"{NAME}-{node}",
            namespace=NAMESPACE,
            labels={"kubernetes.io/service-name": NAME, "endpointslice.kubernetes.io/managed-by": _MANAGER},
            ownerReferences=(OwnerReference(apiVersion="v1", kind="Node", name=node, uid=node_uid),),
        ),
        addressType="IPv4",
        endpoints=(
            Endpoint(
                addresses=(address,),
                conditions=EndpointConditions(ready=True, serving=True, terminating=False),
                nodeName=node,
            ),
        ),
        ports=tuple(EndpointPort(name=name, protocol=protocol, port=PORT) for name, protocol in _PORTS),
    )
