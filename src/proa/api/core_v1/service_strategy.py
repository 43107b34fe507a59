"""How Services differ from the generic registry: defaults that depend on the type, and what goes with an old one.

Addresses and node ports are allocated by the API server. Not here: what combinations make no sense
(`service_validation`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.core_v1.service import Service
from proa.api.core_v1.service_validation import (
    is_external,
    validate_service,
    validate_service_status,
    validate_service_update,
)
from proa.api.core_v1.service_warnings import load_balancer_warnings, service_warnings
from proa.machinery.fields import ErrorList
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_AFFINITY_SECONDS = 10800
_EXTERNAL_TYPES = ("NodePort", "LoadBalancer")


class ServiceStrategy(DefaultStrategy):
    creates_on_update = True

    def default(self, document: Document) -> None:
        spec = document.get("spec")
        if spec is None:
            return
        kind = spec.get("type")
        for port in spec.get("ports") or ():
            if port.get("targetPort") in (None, "", 0):
                port["targetPort"] = port.get("port")
        if spec.get("sessionAffinity") == "ClientIP":
            client = spec.setdefault("sessionAffinityConfig", {}).setdefault("clientIP", {})
            if client.get("timeoutSeconds") is None:
                client["timeoutSeconds"] = _AFFINITY_SECONDS
        elif spec.get("sessionAffinity") == "None":
            spec.pop("sessionAffinityConfig", None)
        if _is_external(spec) and not spec.get("externalTrafficPolicy"):
            spec["externalTrafficPolicy"] = "Cluster"
        if kind != "ExternalName" and not spec.get("internalTrafficPolicy"):
            spec["internalTrafficPolicy"] = "Cluster"
        if kind == "LoadBalancer":
            if spec.get("allocateLoadBalancerNodePorts") is None:
                spec["allocateLoadBalancerNodePorts"] = True
            for each in ((document.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ():
                if each.get("ip") and each.get("ipMode") is None:
                    each["ipMode"] = "VIP"

    def prepare_for_create(self, document: Document) -> None:
        document["status"] = {"loadBalancer": {}}

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        """A type that no longer uses a field loses it, as clients that switch types expect; one that the client changed
        too stays, and is refused."""
        super().prepare_for_update(document, old)
        spec, before = document.get("spec") or {}, old.get("spec") or {}

        def drop(*fields: str) -> None:
            if all(spec.get(field) == before.get(field) for field in fields):
                for field in fields:
                    spec.pop(field, None)

        if spec.get("type") == "ExternalName" != before.get("type"):
            drop("clusterIP", "clusterIPs")
            drop("ipFamilies")
            drop("ipFamilyPolicy")
        inward = before.get("type") in _EXTERNAL_TYPES and spec.get("type") not in _EXTERNAL_TYPES
        if inward and _node_ports(spec) == _node_ports(before):
            for port in spec.get("ports") or ():
                port.pop("nodePort", None)
        if _is_probed(before) and not _is_probed(spec):
            drop("healthCheckNodePort")
        if before.get("type") == "LoadBalancer" != spec.get("type"):
            drop("allocateLoadBalancerNodePorts")
            drop("loadBalancerClass")
        if _is_external(before) and not _is_external(spec):
            drop("externalTrafficPolicy")
        if spec.get("type") != "LoadBalancer" and "status" in document:
            document["status"] = {**document["status"], "loadBalancer": {}}

    def validate_create(self, new: Service, errors: ErrorList) -> None:
        validate_service(new, errors)

    def validate_update(self, new: Service, old: Service, errors: ErrorList) -> None:
        if new.spec != old.spec or new.metadata.annotations != old.metadata.annotations:
            validate_service_update(new.spec, old.spec, errors)
            validate_service(new, errors)
        if new.status.loadBalancer != old.status.loadBalancer:
            validate_service_status(new.status, new.spec.type, errors)

    def warnings(self, new: Service, old: Service | None) -> list[str]:
        return service_warnings(new)

    def status_warnings(self, new: Service) -> list[str]:
        return load_balancer_warnings(each.ip for each in new.status.loadBalancer.ingress)


def _is_external(spec: Mapping[str, Any]) -> bool:
    return is_external(spec.get("type", ""), spec.get("externalIPs"))


def _is_probed(spec: Mapping[str, Any]) -> bool:
    """Whether load balancers ask its nodes who has endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _node_ports(spec: Mapping[str, Any]) -> set[int]:
    return {each["nodePort"] for each in spec.get("ports") or () if each.get("nodePort")}
