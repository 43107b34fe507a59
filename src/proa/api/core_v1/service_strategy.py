"""Services: defaults that depend on the type, and what combinations make no sense.

Addresses and node ports are allocated by the API server; here is only what the object itself says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from proa.api.core_v1.service import Service, ServicePort
from proa.api.core_v1.service_warnings import load_balancer_warnings, service_warnings
from proa.machinery.addresses import ip_address
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import (
    dns1123_label,
    dns1123_subdomain,
    label_value,
    port_name,
    port_number,
    qualified_name,
)
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC = Path("spec")
_AFFINITY_SECONDS = 10800
_EXTERNAL_TYPES = ("NodePort", "LoadBalancer")


class ServiceStrategy(DefaultStrategy):
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
        if kind in _EXTERNAL_TYPES and not spec.get("externalTrafficPolicy"):
            spec["externalTrafficPolicy"] = "Cluster"
        if kind != "ExternalName" and not spec.get("internalTrafficPolicy"):
            spec["internalTrafficPolicy"] = "Cluster"
        if kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is None:
            spec["allocateLoadBalancerNodePorts"] = True

    def prepare_for_create(self, document: Document) -> None:
        document["status"] = {"loadBalancer": {}}

    def prepare_for_update(self, document: Document, old: Mapping[str, Any]) -> None:
        """A type that no longer uses a field loses it, as clients that switch types expect."""
        spec, before = document.get("spec") or {}, old.get("spec") or {}
        if spec.get("type") not in _EXTERNAL_TYPES and before.get("type") in _EXTERNAL_TYPES:
            if spec.get("externalTrafficPolicy") == before.get("externalTrafficPolicy"):
                spec.pop("externalTrafficPolicy", None)
            node_ports = {each.get("nodePort") for each in before.get("ports") or ()}
            for port in spec.get("ports") or ():
                if port.get("nodePort") in node_ports:
                    port.pop("nodePort", None)

    def validate(self, new: Service, errors: ErrorList) -> None:
        spec = new.spec
        if spec.type == "ExternalName":
            if not spec.externalName:
                errors.required(_SPEC.child("externalName"))
            else:
                name = spec.externalName.removesuffix(".")
                check_names(errors, _SPEC.child("externalName"), name, dns1123_subdomain(name))
            if spec.clusterIP:
                errors.forbidden(_SPEC.child("clusterIP"), "may not be set when `type` is 'ExternalName'")
        elif not spec.ports and spec.clusterIP != "None":
            errors.required(_SPEC.child("ports"))
        if spec.type in _EXTERNAL_TYPES and spec.clusterIP == "None":
            errors.invalid(_SPEC.child("clusterIP"), "None", f"may not be set to 'None' for {spec.type} services")
        if spec.clusterIP not in ("", "None"):
            check_names(errors, _SPEC.child("clusterIPs").index(0), spec.clusterIP, ip_address(spec.clusterIP))
        for key, value in spec.selector.items():
            check_names(errors, _SPEC.child("selector"), key, qualified_name(key))
            check_names(errors, _SPEC.child("selector").key(key), value, label_value(value))
        for index, address in enumerate(spec.externalIPs):
            check_names(errors, _SPEC.child("externalIPs").index(index), address, ip_address(address))
        if spec.externalTrafficPolicy and spec.type not in _EXTERNAL_TYPES and not spec.externalIPs:
            errors.invalid(
                _SPEC.child("externalTrafficPolicy"),
                spec.externalTrafficPolicy,
                "may only be set for externally-accessible services",
            )
        self._validate_ports(new, errors)

    def _validate_ports(self, service: Service, errors: ErrorList) -> None:
        spec = service.spec
        names: set[str] = set()
        served: set[tuple[str, int]] = set()
        node_ports: set[tuple[str, int]] = set()
        for index, port in enumerate(spec.ports):
            at = _SPEC.child("ports").index(index)
            _validate_port(port, at, errors)
            if not port.name and len(spec.ports) > 1:
                errors.required(at.child("name"))
            if port.name and port.name in names:
                errors.duplicate(at.child("name"), port.name)
            names.add(port.name)
            key = (port.protocol, port.port)
            if key in served:
                errors.duplicate(at, {"protocol": port.protocol, "port": port.port})
            served.add(key)
            if not port.nodePort:
                continue
            if spec.type not in _EXTERNAL_TYPES:
                errors.forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'")
            elif (port.protocol, port.nodePort) in node_ports:
                errors.duplicate(at.child("nodePort"), port.nodePort)
            node_ports.add((port.protocol, port.nodePort))

    def validate_update(self, new: Service, old: Service, errors: ErrorList) -> None:
        if "ExternalName" in (new.spec.type, old.spec.type):
            return
        if old.spec.clusterIP and new.spec.clusterIP != old.spec.clusterIP:
            errors.immutable(_SPEC.child("clusterIPs").index(0), new.spec.clusterIP)

    def warnings(self, new: Service, old: Service | None) -> list[str]:
        return service_warnings(new)

    def status_warnings(self, new: Service) -> list[str]:
        return load_balancer_warnings(each.ip for each in new.status.loadBalancer.ingress)


def _validate_port(port: ServicePort, path: Path, errors: ErrorList) -> None:
    if port.name:
        check_names(errors, path.child("name"), port.name, dns1123_label(port.name))
    target = port.targetPort
    if target is not None:
        for each in port_number(target) if isinstance(target, int) else port_name(target):
            errors.invalid(path.child("targetPort"), target, each)
