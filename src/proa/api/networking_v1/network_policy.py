"""networking/v1 declarations: network policies."""

from typing import Annotated

from msgspec import field

from proa.machinery.declare import Field, Object, always, fixed, no_items
from proa.machinery.meta import LabelSelector, ListMeta, ObjectMeta
from proa.machinery.scalars import Int32, IntOrString


class IPBlock(Object):
    cidr: Annotated[str, Field(1, required=True)] = always(str)
    except_: Annotated[tuple[str, ...], Field(2, list="atomic")] = field(default=(), name="except")


class NetworkPolicyPeer(Object):
    podSelector: Annotated[LabelSelector | None, Field(1)] = None
    namespaceSelector: Annotated[LabelSelector | None, Field(2)] = None
    ipBlock: Annotated[IPBlock | None, Field(3)] = None


class NetworkPolicyPort(Object):
    protocol: Annotated[str | None, Field(1, default="TCP", enum=("TCP", "UDP", "SCTP"))] = None
    port: Annotated[IntOrString | None, Field(2)] = None
    endPort: Annotated[Int32 | None, Field(3)] = None


class NetworkPolicyIngressRule(Object):
    ports: Annotated[tuple[NetworkPolicyPort, ...], Field(1, list="atomic")] = ()
    from_: Annotated[tuple[NetworkPolicyPeer, ...], Field(2, list="atomic")] = field(default=(), name="from")


class NetworkPolicyEgressRule(Object):
    ports: Annotated[tuple[NetworkPolicyPort, ...], Field(1, list="atomic")] = ()
    to: Annotated[tuple[NetworkPolicyPeer, ...], Field(2, list="atomic")] = ()


class NetworkPolicySpec(Object):
    podSelector: Annotated[LabelSelector, Field(1)] = always(LabelSelector)
    ingress: Annotated[tuple[NetworkPolicyIngressRule, ...], Field(2, list="atomic")] = ()
    egress: Annotated[tuple[NetworkPolicyEgressRule, ...], Field(3, list="atomic")] = ()
    policyTypes: Annotated[tuple[str, ...], Field(4, enum=("Ingress", "Egress"), list="atomic")] = ()


class NetworkPolicy(Object):
    metadata: Annotated[ObjectMeta, Field(1)] = always(ObjectMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("NetworkPolicy")
    spec: Annotated[NetworkPolicySpec, Field(2)] = always(NetworkPolicySpec)


class NetworkPolicyList(Object):
    metadata: Annotated[ListMeta, Field(1)] = always(ListMeta)
    apiVersion: str = fixed("networking.k8s.io/v1")
    kind: str = fixed("NetworkPolicyList")
    items: Annotated[tuple[NetworkPolicy, ...], Field(2, required=True)] = always(no_items)
