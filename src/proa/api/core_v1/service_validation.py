"""What makes a Service wrong beyond what its fields declare, and what of it may not change.

Source: the API reference of core/v1 Service; wording as clients know it. Not here: whether an address or a port is free
(the API server's allocators), what a change of the type takes with it (`service_strategy`).
"""

from __future__ import annotations

from ipaddress import ip_address as parsed_address

from proa.api.core_v1.service import Service, ServicePort, ServiceSpec, ServiceStatus
from proa.machinery.addresses import cidr, endpoint_address, ip_address, without_zeros
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, port_name, port_number, qualified_name
from proa.machinery.object_meta import validate_labels

_SPEC = Path("spec")
_INGRESS = Path("status", "loadBalancer", "ingress")
_ADDRESSES, _FAMILIES = _SPEC.child("clusterIPs"), _SPEC.child("ipFamilies")
_ANNOTATIONS = Path("metadata", "annotations")
_SOURCES = "service.beta.kubernetes.io/load-balancer-source-ranges"
_HINTS, _TOPOLOGY_MODE = "service.kubernetes.io/topology-aware-hints", "service.kubernetes.io/topology-mode"
_DISTRIBUTIONS = ("PreferClose", "PreferSameZone", "PreferSameNode")
_AFFINITY_SECONDS = 86400
_ONLY_BALANCED = "may only be used when `type` is 'LoadBalancer'"
_NOT_NAMED = "may not be set for ExternalName services"
_ONCE = "may not change once set"


def is_headless(spec: ServiceSpec) -> bool:
    return (spec.clusterIPs or (spec.clusterIP,)) == ("None",)


def is_external(kind: str, external_addresses: object) -> bool:
    """Whether a Service of that type can be reached from outside."""
    return kind in ("NodePort", "LoadBalancer") or (kind == "ClusterIP" and bool(external_addresses))


def validate_service(service: Service, errors: ErrorList) -> None:
    spec, annotations = service.spec, service.metadata.annotations
    headless = is_headless(spec)
    if annotations.get(_TOPOLOGY_MODE, annotations.get(_HINTS)) != annotations.get(
        _HINTS, annotations.get(_TOPOLOGY_MODE)
    ):
        detail = f"must match annotations[{_HINTS}] when both are specified"
        errors.invalid(_ANNOTATIONS.key(_TOPOLOGY_MODE), annotations[_TOPOLOGY_MODE], detail)
    if not spec.ports and not headless and spec.type != "ExternalName":
        errors.required(_SPEC.child("ports"))
    if headless and spec.type in ("LoadBalancer", "NodePort"):
        errors.invalid(_ADDRESSES.index(0), "None", f"may not be set to 'None' for {spec.type} services")
    if spec.type == "ExternalName":
        _validate_name(spec, errors)
    _validate_ports(spec, errors)
    if spec.selector:
        validate_labels(spec.selector, errors, _SPEC.child("selector"))
    _validate_affinity(spec, errors)
    check_addresses(spec, errors)
    for index, address in enumerate(spec.externalIPs):
        at = _SPEC.child("externalIPs").index(index)
        check_names(errors, at, address, endpoint_address(address))
        if not ip_address(address) and parsed_address(address).is_loopback:
            errors.invalid(at, address, "may not be in the loopback range (127.0.0.0/8, ::1/128)")
    _validate_balancer(spec, annotations.get(_SOURCES), errors)
    _validate_traffic(spec, errors)


def _validate_name(spec: ServiceSpec, errors: ErrorList) -> None:
    for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
        if getattr(spec, field) or (field == "clusterIPs" and spec.clusterIP):
            errors.forbidden(_SPEC.child(field), _NOT_NAMED)
    name = spec.externalName.removesuffix(".")
    if name:
        check_names(errors, _SPEC.child("externalName"), name, dns1123_subdomain(name))
    else:
        errors.required(_SPEC.child("externalName"))


def _validate_affinity(spec: ServiceSpec, errors: ErrorList) -> None:
    client = spec.sessionAffinityConfig.clientIP if spec.sessionAffinityConfig is not None else None
    if spec.sessionAffinity != "ClientIP" or client is None or client.timeoutSeconds is None:
        return
    if not 0 < client.timeoutSeconds <= _AFFINITY_SECONDS:
        where = _SPEC.child("sessionAffinityConfig", "clientIP", "timeoutSeconds")
        detail = f"must be greater than 0 and less than {_AFFINITY_SECONDS}"
        errors.invalid(where, client.timeoutSeconds, detail)


def _validate_balancer(spec: ServiceSpec, annotated: str | None, errors: ErrorList) -> None:
    """annotated: the ranges of sources, where they are said in an annotation."""
    balanced = spec.type == "LoadBalancer"
    if spec.loadBalancerSourceRanges:
        where = _SPEC.child("LoadBalancerSourceRanges")  # the path that clients know, though no field is spelt so
        if not balanced:
            errors.forbidden(where, _ONLY_BALANCED)
        for index, network in enumerate(spec.loadBalancerSourceRanges):
            check_names(errors, where.index(index), network.strip(), cidr(network.strip()))
    elif annotated is not None:
        where = _ANNOTATIONS.key(_SOURCES)
        if not balanced:
            errors.forbidden(where, _ONLY_BALANCED)
        for network in annotated.split(",") if annotated.strip() else ():
            check_names(errors, where, network.strip(), cidr(network.strip()))
    if not balanced and spec.allocateLoadBalancerNodePorts is not None:
        errors.forbidden(_SPEC.child("allocateLoadBalancerNodePorts"), _ONLY_BALANCED)
    if spec.loadBalancerClass is not None:
        where, name = _SPEC.child("loadBalancerClass"), spec.loadBalancerClass
        if balanced:
            check_names(errors, where, name, qualified_name(name))
        else:
            errors.forbidden(where, _ONLY_BALANCED)


def _validate_traffic(spec: ServiceSpec, errors: ErrorList) -> None:
    if spec.externalTrafficPolicy and not is_external(spec.type, spec.externalIPs):
        detail = "may only be set for externally-accessible services"
        errors.invalid(_SPEC.child("externalTrafficPolicy"), spec.externalTrafficPolicy, detail)
    where, port = _SPEC.child("healthCheckNodePort"), spec.healthCheckNodePort
    if spec.type == "LoadBalancer" and spec.externalTrafficPolicy == "Local":
        if port:
            for problem in port_number(port):
                errors.invalid(where, port, problem)
    elif port:
        detail = "may only be set when `type` is 'LoadBalancer' and `externalTrafficPolicy` is 'Local'"
        errors.invalid(where, port, detail)
    if spec.trafficDistribution is not None and spec.trafficDistribution not in _DISTRIBUTIONS:
        errors.unsupported(_SPEC.child("trafficDistribution"), spec.trafficDistribution, _DISTRIBUTIONS)


def _validate_ports(spec: ServiceSpec, errors: ErrorList) -> None:
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
        if spec.type == "ClusterIP":
            errors.forbidden(at.child("nodePort"), "may not be used when `type` is 'ClusterIP'")
        if (port.protocol, port.nodePort) in node_ports:
            errors.duplicate(at.child("nodePort"), port.nodePort)
        node_ports.add((port.protocol, port.nodePort))


def _validate_port(port: ServicePort, path: Path, errors: ErrorList) -> None:
    if port.name:
        check_names(errors, path.child("name"), port.name, dns1123_label(port.name))
    target = port.targetPort
    if target is not None:
        for each in port_number(target) if isinstance(target, int) else port_name(target):
            errors.invalid(path.child("targetPort"), target, each)
    if port.appProtocol is not None:
        check_names(errors, path.child("appProtocol"), port.appProtocol, qualified_name(port.appProtocol))


def check_addresses(spec: ServiceSpec, errors: ErrorList) -> None:
    """Whether addresses and families fit each other, of whatever cluster."""
    if spec.type == "ExternalName":
        return
    addresses, families = spec.clusterIPs, spec.ipFamilies
    if not spec.clusterIP:
        if addresses:
            errors.invalid(_ADDRESSES, addresses, "must be empty when `clusterIP` is not specified")
    elif addresses and addresses[0] != spec.clusterIP:
        errors.invalid(_ADDRESSES, addresses, "first value must match `clusterIP`")
    addresses = addresses or ((spec.clusterIP,) if spec.clusterIP else ())
    for index, family in enumerate(families):
        if family not in ("IPv4", "IPv6"):
            errors.unsupported(_FAMILIES.index(index), family, ("IPv4", "IPv6"))
        if family in families[:index]:
            errors.duplicate(_FAMILIES.index(index), family)
    wrong = len(errors)
    for index, address in enumerate(addresses):
        if index == 0 and address == "None":
            if len(addresses) > 1:
                errors.invalid(_ADDRESSES, addresses, "'None' must be the first and only value")
        else:
            check_names(errors, _ADDRESSES.index(index), address, ip_address(address))
    if len(addresses) > 2:
        errors.invalid(_ADDRESSES, addresses, "may only hold up to 2 values")
    if len(errors) > wrong or addresses == ("None",):
        return
    found = [family_of(each) for each in addresses]
    if len(set(found)) < len(found):
        errors.invalid(_ADDRESSES, addresses, "may specify no more than one IP for each IP family")
    for index, (address, is_of, family) in enumerate(zip(addresses, found, families, strict=False)):
        if is_of != family:
            detail = f"expected an {family} value as indicated by `ipFamilies[{index}]`"
            errors.invalid(_ADDRESSES.index(index), address, detail)


def family_of(address: str) -> str:
    """`IPv4` or `IPv6`, of a text that is an address."""
    return f"IPv{parsed_address(without_zeros(address)).version}"


def validate_service_update(new: ServiceSpec, old: ServiceSpec, errors: ErrorList) -> None:
    if "ExternalName" not in (new.type, old.type):
        for index, (after, before) in enumerate(zip(new.clusterIPs, old.clusterIPs, strict=False)):
            if after != before:
                errors.invalid(_ADDRESSES.index(index), new.clusterIPs, _ONCE)
        if not is_headless(new) and not is_headless(old):
            for after, before in zip(new.ipFamilies, old.ipFamilies, strict=False):
                if after != before:
                    errors.invalid(_FAMILIES.index(0), new.ipFamilies, _ONCE)
    if new.type == old.type == "LoadBalancer":
        if new.loadBalancerClass != old.loadBalancerClass:
            errors.invalid(_SPEC.child("loadBalancerClass"), new.loadBalancerClass, _ONCE)
        local = new.externalTrafficPolicy == old.externalTrafficPolicy == "Local"
        if local and new.healthCheckNodePort != old.healthCheckNodePort:
            errors.forbidden(_SPEC.child("healthCheckNodePort"), "field is immutable")


def validate_service_status(status: ServiceStatus, kind: str, errors: ErrorList) -> None:
    """kind: the Service's type."""
    ingress = status.loadBalancer.ingress
    if ingress and kind != "LoadBalancer":
        errors.forbidden(_INGRESS, "may only be used when `spec.type` is 'LoadBalancer'")
        return
    for index, each in enumerate(ingress):
        at = _INGRESS.index(index)
        if each.ip:
            check_names(errors, at.child("ip"), each.ip, ip_address(each.ip))
            if each.ipMode is None:
                errors.required(at.child("ipMode"), "must be specified when `ip` is set")
        elif each.ipMode is not None:
            errors.forbidden(at.child("ipMode"), "may not be specified when `ip` is not set")
        if each.hostname:
            check_names(errors, at.child("hostname"), each.hostname, dns1123_subdomain(each.hostname))
            if not ip_address(without_zeros(each.hostname)):
                errors.invalid(at.child("hostname"), each.hostname, "must be a DNS name, not an IP address")
