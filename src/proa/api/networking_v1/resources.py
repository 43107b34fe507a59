"""The resources of networking.k8s.io/v1."""

from typing import Any

from proa.api.networking_v1 import (
    Ingress,
    IngressClass,
    IngressClassList,
    IngressList,
    IPAddress,
    IPAddressList,
    NetworkPolicy,
    NetworkPolicyList,
    ServiceCIDR,
    ServiceCIDRList,
    columns,
)
from proa.api.networking_v1.ingress_strategies import IngressClassStrategy, IngressStrategy
from proa.api.networking_v1.strategies import IPAddressStrategy, NetworkPolicyStrategy, ServiceCIDRStrategy
from proa.machinery.resource import STATUS, Resource

INGRESS_CLASSES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="ingressclasses",
    type=IngressClass,
    list_type=IngressClassList,
    singular="ingressclass",
    namespaced=False,
    has_generation=True,
    columns=columns.INGRESS_CLASSES,
    strategy=IngressClassStrategy(),
)

INGRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="ingresses",
    type=Ingress,
    list_type=IngressList,
    singular="ingress",
    short_names=("ing",),
    subresources=(STATUS,),
    has_generation=True,
    columns=columns.INGRESSES,
    strategy=IngressStrategy(),
)

IP_ADDRESSES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="ipaddresses",
    type=IPAddress,
    list_type=IPAddressList,
    singular="ipaddress",
    short_names=("ip",),
    namespaced=False,
    name_rule="path",
    columns=columns.IP_ADDRESSES,
    strategy=IPAddressStrategy(),
)

NETWORK_POLICIES = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="networkpolicies",
    type=NetworkPolicy,
    list_type=NetworkPolicyList,
    singular="networkpolicy",
    short_names=("netpol",),
    has_generation=True,
    columns=columns.NETWORK_POLICIES,
    strategy=NetworkPolicyStrategy(),
)

SERVICE_CIDRS = Resource(
    group="networking.k8s.io",
    version="v1",
    plural="servicecidrs",
    type=ServiceCIDR,
    list_type=ServiceCIDRList,
    singular="servicecidr",
    namespaced=False,
    subresources=(STATUS,),
    columns=columns.SERVICE_CIDRS,
    strategy=ServiceCIDRStrategy(),
)

RESOURCES: tuple[Resource[Any], ...] = (INGRESS_CLASSES, INGRESSES, IP_ADDRESSES, NETWORK_POLICIES, SERVICE_CIDRS)
