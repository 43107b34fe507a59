"""What clients are told of valid Services: fields that are old, fields that do nothing, addresses badly spelt."""

from __future__ import annotations

from collections.abc import Iterable

from proa.api.core_v1.service import Endpoints, Service
from proa.machinery.address_spelling import address_warnings, network_warnings
from proa.machinery.fields import Path

_SPEC = Path("spec")
_INGRESS = Path("status", "loadBalancer", "ingress")
_OLD_HINTS, _TOPOLOGY_MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_MANAGED_BY, _CONTROLLER = "endpoints.kubernetes.io/managed-by", "endpoint-controller"


def service_warnings(service: Service) -> list[str]:
    found, spec = [], service.spec
    if _OLD_HINTS in service.metadata.annotations:
        found.append(f"annotation {_OLD_HINTS} is deprecated, please use {_TOPOLOGY_MODE} instead")
    headless, named = spec.type == "ClusterIP" and spec.clusterIP == "None", spec.type == "ExternalName"
    if headless:
        ignored = {
            "loadBalancerIP": bool(spec.loadBalancerIP),
            "externalIPs": bool(spec.externalIPs),
            "SessionAffinity": spec.sessionAffinity != "None",
        }
        found += [f"spec.{field} is ignored for headless services" for field, given in ignored.items() if given]
    if spec.externalIPs and not headless:
        found.append(
            'spec.externalIPs is ignored when spec.type is "ExternalName"'
            if named
            else "spec.externalIPs is deprecated and may no longer be implemented in some clusters"
        )
    if spec.externalName and not named:
        found.append('spec.externalName is ignored when spec.type is not "ExternalName"')
    if spec.trafficDistribution == "PreferClose":
        found.append('spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"')
    return found + _spelling_warnings(service)


def _spelling_warnings(service: Service) -> list[str]:
    found, spec = [], service.spec
    if spec.clusterIP not in ("", "None"):
        for position, address in enumerate(spec.clusterIPs):
            found += address_warnings(address, _SPEC.child("clusterIPs").index(position))
    for position, address in enumerate(spec.externalIPs):
        found += address_warnings(address, _SPEC.child("externalIPs").index(position))
    if spec.loadBalancerIP:
        found += address_warnings(spec.loadBalancerIP, _SPEC.child("loadBalancerIP"))
    for position, network in enumerate(spec.loadBalancerSourceRanges):
        found += network_warnings(network, _SPEC.child("loadBalancerSourceRanges").index(position))
    return found


def load_balancer_warnings(addresses: Iterable[str]) -> list[str]:
    """Of the addresses that somebody says a load balancer of a Service or an Ingress has; '' where it has a name."""
    return [
        text
        for position, each in enumerate(addresses)
        if each
        for text in address_warnings(each, _INGRESS.index(position))
    ]


def endpoints_warnings(endpoints: Endpoints) -> list[str]:
    """The controller that makes nearly all of them spells addresses well."""
    if endpoints.metadata.labels.get(_MANAGED_BY) == _CONTROLLER:
        return []
    found = []
    for position, subset in enumerate(endpoints.subsets):
        at = Path("subsets").index(position)
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.notReadyAddresses)):
            for number, address in enumerate(addresses):
                found += address_warnings(address.ip, at.child(field).index(number).child("ip"))
    return found
