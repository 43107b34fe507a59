"""How endpoints differ from the generic registry: addresses somebody can be reached at, ports with names."""

from __future__ import annotations

from proa.api.core_v1.service import EndpointAddress, EndpointPort, Endpoints
from proa.api.core_v1.service_warnings import endpoints_warnings
from proa.machinery.addresses import endpoint_address
from proa.machinery.checks import check_names
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, port_number, qualified_name
from proa.machinery.strategy import DefaultStrategy


class EndpointsStrategy(DefaultStrategy):
    creates_on_update = True

    def validate_create(self, new: Endpoints, errors: ErrorList) -> None:
        _validate(new, errors)

    def validate_update(self, new: Endpoints, old: Endpoints, errors: ErrorList) -> None:
        if new.subsets != old.subsets:
            _validate(new, errors)

    def warnings(self, new: Endpoints, old: Endpoints | None) -> list[str]:
        return endpoints_warnings(new)


def _validate(endpoints: Endpoints, errors: ErrorList) -> None:
    for position, subset in enumerate(endpoints.subsets):
        at = Path("subsets").index(position)
        if not subset.addresses and not subset.notReadyAddresses:
            errors.required(at, "must specify `addresses` or `notReadyAddresses`")
        for field, addresses in (("addresses", subset.addresses), ("notReadyAddresses", subset.notReadyAddresses)):
            for number, address in enumerate(addresses):
                _validate_address(address, at.child(field).index(number), errors)
        for number, port in enumerate(subset.ports):
            _validate_port(port, len(subset.ports) > 1, at.child("ports").index(number), errors)


def _validate_address(address: EndpointAddress, path: Path, errors: ErrorList) -> None:
    check_names(errors, path.child("ip"), address.ip, endpoint_address(address.ip))
    if address.hostname:
        check_names(errors, path.child("hostname"), address.hostname, dns1123_label(address.hostname))
    if address.nodeName is not None:
        check_names(errors, path.child("nodeName"), address.nodeName, dns1123_subdomain(address.nodeName))


def _validate_port(port: EndpointPort, named: bool, path: Path, errors: ErrorList) -> None:
    if port.name:
        check_names(errors, path.child("name"), port.name, dns1123_label(port.name))
    elif named:
        errors.required(path.child("name"))
    for problem in port_number(port.port):
        errors.invalid(path.child("port"), port.port, problem)
    if port.appProtocol is not None:
        check_names(errors, path.child("appProtocol"), port.appProtocol, qualified_name(port.appProtocol))
