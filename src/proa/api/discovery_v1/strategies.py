"""How endpoint slices differ from the generic registry: addresses of one kind, that somebody can be reached at."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from proa.api.discovery_v1.types import Endpoint, EndpointHints, EndpointPort, EndpointSlice
from proa.machinery.address_spelling import address_warnings
from proa.machinery.addresses import canonical_ip_address, endpoint_address
from proa.machinery.checks import check_names, check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, label_value, qualified_name
from proa.machinery.object_meta import validate_labels
from proa.machinery.strategy import DefaultStrategy

_ADDRESS_TYPE = Path("addressType")
_MOST_ENDPOINTS, _MOST_ADDRESSES, _MOST_PORTS = 1000, 100, 20_000
_PROTOCOLS = ("SCTP", "TCP", "UDP")
_MOST_LABELS = 16
_MOST_HINTS = 8
_MANAGED_BY = "endpointslice.kubernetes.io/managed-by"
_CONTROLLERS = ("endpointslice-controller.k8s.io", "endpointslicemirroring-controller.k8s.io")


class EndpointSliceStrategy(DefaultStrategy):
    def validate(self, new: EndpointSlice, errors: ErrorList) -> None:
        if not new.addressType:
            errors.required(_ADDRESS_TYPE)
        elif new.addressType not in _RULES:
            errors.unsupported(_ADDRESS_TYPE, new.addressType, sorted(_RULES))
        _validate_ports(new.ports, Path("ports"), errors)

    def validate_create(self, new: EndpointSlice, errors: ErrorList) -> None:
        _validate_endpoints(new, errors)

    def validate_update(self, new: EndpointSlice, old: EndpointSlice, errors: ErrorList) -> None:
        check_unchanged(errors, _ADDRESS_TYPE, new.addressType, old.addressType)
        if new.endpoints != old.endpoints:
            _validate_endpoints(new, errors)

    def warnings(self, new: EndpointSlice, old: EndpointSlice | None) -> list[str]:
        """The controllers that make nearly all slices spell addresses well."""
        if new.addressType == "FQDN":
            return ["spec.addressType: FQDN endpoints are deprecated"] if old is None else []
        if new.metadata.labels.get(_MANAGED_BY) in _CONTROLLERS:
            return []
        return [
            text
            for position, endpoint in enumerate(new.endpoints)
            for number, address in enumerate(endpoint.addresses)
            for text in address_warnings(address, Path("endpoints").index(position).child("addresses").index(number))
        ]


def _ipv4(value: str) -> list[str]:
    return endpoint_address(value) or ([] if ":" not in value else ["must be an IPv4 address"])


def _ipv6(value: str) -> list[str]:
    problems = canonical_ip_address(value) or endpoint_address(value)
    return problems or ([] if ":" in value else ["must be an IPv6 address"])


def _name(value: str) -> list[str]:
    """A name with a dot in it; one at its end does not count."""
    problems = dns1123_subdomain(value.removesuffix("."))
    return problems or (
        [] if "." in value.removesuffix(".") else ["should be a domain with at least two segments separated by dots"]
    )


_RULES: Mapping[str, Callable[[str], list[str]]] = {"IPv4": _ipv4, "IPv6": _ipv6, "FQDN": _name}


def _validate_endpoints(new: EndpointSlice, errors: ErrorList) -> None:
    path = Path("endpoints")
    if len(new.endpoints) > _MOST_ENDPOINTS:
        errors.too_many(path, len(new.endpoints), _MOST_ENDPOINTS)
        return
    rule = _RULES.get(new.addressType)
    for position, endpoint in enumerate(new.endpoints):
        at = path.index(position)
        addresses = at.child("addresses")
        if not endpoint.addresses:
            errors.required(addresses, "must contain at least 1 address")
        elif len(endpoint.addresses) > _MOST_ADDRESSES:
            errors.too_many(addresses, len(endpoint.addresses), _MOST_ADDRESSES)
        elif rule is not None:
            for number, address in enumerate(endpoint.addresses):
                check_names(errors, addresses.index(number), address, rule(address))
        _validate_endpoint(endpoint, at, errors)


def _validate_endpoint(endpoint: Endpoint, path: Path, errors: ErrorList) -> None:
    if endpoint.nodeName is not None:
        check_names(errors, path.child("nodeName"), endpoint.nodeName, dns1123_subdomain(endpoint.nodeName))
    if endpoint.hostname is not None:
        check_names(errors, path.child("hostname"), endpoint.hostname, dns1123_label(endpoint.hostname))
    if endpoint.deprecatedTopology:
        at = path.child("deprecatedTopology")
        if len(endpoint.deprecatedTopology) > _MOST_LABELS:
            errors.too_many(at, len(endpoint.deprecatedTopology), _MOST_LABELS)
        validate_labels(endpoint.deprecatedTopology, errors, at)
    if endpoint.hints is not None:
        _validate_hints(endpoint.hints, path.child("hints"), errors)


def _validate_hints(hints: EndpointHints, path: Path, errors: ErrorList) -> None:
    for field, names, rule in (
        ("forZones", [each.name for each in hints.forZones], label_value),
        ("forNodes", [each.name for each in hints.forNodes], dns1123_subdomain),
    ):
        at = path.child(field)
        if len(names) > _MOST_HINTS:
            errors.too_many(at, len(names), _MOST_HINTS)
            continue
        for position, name in enumerate(names):
            if name in names[:position]:
                errors.duplicate(at.index(position).child("name"), name)
            check_names(errors, at.index(position).child("name"), name, rule(name))


def _validate_ports(ports: Sequence[EndpointPort], path: Path, errors: ErrorList) -> None:
    if len(ports) > _MOST_PORTS:
        errors.too_many(path, len(ports), _MOST_PORTS)
        return
    seen: set[str] = set()
    for position, port in enumerate(ports):
        at, name = path.index(position), port.name or ""
        if name:
            check_names(errors, at.child("name"), name, dns1123_label(name))
        if name in seen:
            errors.duplicate(at.child("name"), name)
        seen.add(name)
        if port.protocol is not None and port.protocol not in _PROTOCOLS:
            errors.unsupported(at.child("protocol"), port.protocol, _PROTOCOLS)
        if port.appProtocol is not None:
            check_names(errors, at.child("appProtocol"), port.appProtocol, qualified_name(port.appProtocol))
