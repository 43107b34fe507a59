"""What a cluster has before anybody asks: the system namespaces and priority classes, the range of Service addresses,
and the `kubernetes` Service with its endpoints.

Idempotent: run at every start through the in-process client. What does not need each other is written together, so that
the store commits it in one batch. Not here: roles (authz.bootstrap), add-ons (cluster).
"""

from __future__ import annotations

import asyncio
from typing import Any, TypeVar

import msgspec

from proa.api.core_v1 import Endpoints, Namespace, Service
from proa.api.core_v1.resources import ENDPOINTS, NAMESPACES, SERVICES
from proa.api.discovery_v1 import EndpointSlice
from proa.api.discovery_v1.resources import ENDPOINT_SLICES
from proa.api.networking_v1 import ServiceCIDR
from proa.api.networking_v1.resources import SERVICE_CIDRS
from proa.api.scheduling_v1 import PriorityClass
from proa.api.scheduling_v1.resources import PRIORITY_CLASSES
from proa.client.protocol import Client
from proa.machinery.declare import Object
from proa.machinery.meta import Condition
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_already_exists, is_not_found

T = TypeVar("T", bound=Object)

SYSTEM_PRIORITIES = {
    "system-cluster-critical": (2_000_000_000, "Pods the cluster cannot do without, on whatever node."),
    "system-node-critical": (2_000_001_000, "Pods their own node cannot do without."),
}
SYSTEM_NAMESPACES = ("default", "kube-system", "kube-public", "kube-node-lease")


async def ensure_namespaces(client: Client) -> None:
    """The namespaces every cluster has."""
    wanted = (msgspec.convert({"metadata": {"name": name}}, Namespace) for name in SYSTEM_NAMESPACES)
    await asyncio.gather(*(_ensure(client, NAMESPACES, each) for each in wanted))


async def ensure_priority_classes(client: Client) -> None:
    """The priority classes of what a cluster cannot do without."""
    documents = (
        {"metadata": {"name": name}, "value": value, "description": description}
        for name, (value, description) in SYSTEM_PRIORITIES.items()
    )
    wanted = (msgspec.convert(each, PriorityClass) for each in documents)
    await asyncio.gather(*(_ensure(client, PRIORITY_CLASSES, each) for each in wanted))


async def ensure_service_cidr(client: Client, cidr: str, now: str) -> None:
    """The range Services get their addresses from, as the ServiceCIDR `kubernetes`, ready."""
    document = {"metadata": {"name": "kubernetes"}, "spec": {"cidrs": [cidr]}}
    await _ensure(client, SERVICE_CIDRS, msgspec.convert(document, ServiceCIDR))
    found = await client.get(SERVICE_CIDRS, "kubernetes")
    if not found.status.conditions:
        ready = Condition(
            type="Ready", status="True", lastTransitionTime=now, message="Kubernetes default Service CIDR is ready"
        )
        status = {"status": {"conditions": [msgspec.to_builtins(ready)]}}
        await client.patch(SERVICE_CIDRS, "kubernetes", "", status, type="merge", subresource="status")


async def ensure_kubernetes_service(client: Client, cluster_ip: str, address: str, port: int) -> None:
    """The Service `kubernetes` at `cluster_ip`, and endpoints that say where this server is (`address`: an IP)."""
    metadata = {"name": "kubernetes", "namespace": "default"}
    labels = {"component": "apiserver", "provider": "kubernetes"}
    service = {
        "metadata": {**metadata, "labels": labels},
        "spec": {
            "type": "ClusterIP",
            "clusterIP": cluster_ip,
            "clusterIPs": [cluster_ip],
            "sessionAffinity": "None",
            "ports": [{"name": "https", "protocol": "TCP", "port": 443, "targetPort": port}],
        },
    }
    mirror = {"endpointslice.kubernetes.io/skip-mirror": "true"}
    endpoints = {
        "metadata": {**metadata, "labels": mirror},
        "subsets": [{"addresses": [{"ip": address}], "ports": [{"name": "https", "port": port, "protocol": "TCP"}]}],
    }
    slice_ = {
        "metadata": {**metadata, "labels": {"kubernetes.io/service-name": "kubernetes"}},
        "addressType": "IPv6" if ":" in address else "IPv4",
        "endpoints": [{"addresses": [address], "conditions": {"ready": True}}],
        "ports": [{"name": "https", "port": port, "protocol": "TCP"}],
    }
    await asyncio.gather(
        _ensure(client, SERVICES, msgspec.convert(service, Service)),
        _ensure(client, ENDPOINTS, msgspec.convert(endpoints, Endpoints), "subsets"),
        _ensure(client, ENDPOINT_SLICES, msgspec.convert(slice_, EndpointSlice), "endpoints", "ports"),
    )


async def _ensure(client: Client, resource: Resource[T], wanted: T, *fields: str) -> None:
    """Create it, or bring these fields of what is there to what is wanted."""
    meta: Any = getattr(wanted, "metadata")  # noqa: B009 - every stored object has one, Object does not say so
    try:
        found = await client.get(resource, meta.name, meta.namespace)
    except StatusError as error:
        if not is_not_found(error):
            raise
        try:
            await client.create(resource, wanted)
        except StatusError as lost:
            if not is_already_exists(lost):
                raise
        return
    patch = {field: msgspec.to_builtins(getattr(wanted, field)) for field in fields}
    current = {field: msgspec.to_builtins(getattr(found, field)) for field in fields}
    if patch != current:
        await client.patch(resource, meta.name, meta.namespace, patch, type="merge")
