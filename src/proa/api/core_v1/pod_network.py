"""What makes a pod's names and its part of the network wrong: DNS, host names, ports of the host.

Source: the API reference of core/v1 PodSpec, PodDNSConfig and HostAlias.
"""

from __future__ import annotations

from collections.abc import Sequence

from proa.api.core_v1.container import Container
from proa.api.core_v1.pod import HostAlias, PodDNSConfig, PodSpec, PodStatus
from proa.api.core_v1.pod_checks import at, check
from proa.machinery.addresses import ip_address
from proa.machinery.fields import ROOT, ErrorList, Path
from proa.machinery.names import dns1123_label, dns1123_subdomain, search_domain

_STATUS = Path("status")
_MOST_SERVERS = 3
_MOST_SEARCHES = 32
_LONGEST_SEARCHES = 2048
_LONGEST_HOST_NAME = 64


def validate_network(spec: PodSpec, errors: ErrorList) -> None:
    """Of a pod; where, relative to its spec."""
    _validate_host_ports(spec, errors)
    if spec.hostname:
        check(errors, dns1123_label, spec.hostname, ROOT, "hostname")
    if spec.subdomain:
        check(errors, dns1123_label, spec.subdomain, ROOT, "subdomain")
    if spec.hostnameOverride is not None:
        _validate_override(spec, spec.hostnameOverride, ROOT.child("hostnameOverride"), errors)
    if spec.hostAliases:
        _validate_aliases(spec.hostAliases, ROOT.child("hostAliases"), errors)
    if spec.dnsPolicy == "None":
        if spec.dnsConfig is None:
            errors.required(ROOT.child("dnsConfig"), "must provide `dnsConfig` when `dnsPolicy` is None")
        elif not spec.dnsConfig.nameservers:
            detail = "must provide at least one DNS nameserver when `dnsPolicy` is None"
            errors.required(ROOT.child("dnsConfig", "nameservers"), detail)
    if spec.dnsConfig is not None:
        _validate_dns(spec.dnsConfig, ROOT.child("dnsConfig"), errors)


def validate_addresses(status: PodStatus, errors: ErrorList) -> None:
    """Of a pod, and of its node: at most one of each family."""
    hosts = [each.ip for each in status.hostIPs]
    if hosts and hosts[0] != status.hostIP:
        errors.invalid(_STATUS.child("hostIPs").index(0).child("ip"), hosts[0], "must be equal to `hostIP`")
    for field, addresses in (("podIPs", [each.ip for each in status.podIPs]), ("hostIPs", hosts)):
        for index, address in enumerate(addresses):
            check(errors, ip_address, address, _STATUS, field, index)
        if len(addresses) > len({":" in each for each in addresses}):
            detail = "may specify no more than one IP for each IP family"
            errors.invalid(_STATUS.child(field), getattr(status, field), detail)


def _validate_dns(config: PodDNSConfig, path: Path, errors: ErrorList) -> None:
    if len(config.nameservers) > _MOST_SERVERS:
        detail = f"must not have more than {_MOST_SERVERS} nameservers"
        errors.invalid(path.child("nameservers"), config.nameservers, detail)
    for index, server in enumerate(config.nameservers):
        check(errors, ip_address, server, path, "nameservers", index)
    if len(config.searches) > _MOST_SEARCHES:
        detail = f"must not have more than {_MOST_SEARCHES} search paths"
        errors.invalid(path.child("searches"), config.searches, detail)
    if len(" ".join(config.searches)) > _LONGEST_SEARCHES:
        detail = f"must not have more than {_LONGEST_SEARCHES} characters (including spaces) in the search list"
        errors.invalid(path.child("searches"), config.searches, detail)
    for index, search in enumerate(config.searches):
        if search != ".":
            check(errors, search_domain, search.removesuffix("."), path, "searches", index)
    for index, option in enumerate(config.options):
        if not option.name:
            errors.required(at(path, "options", index), "must not be empty")


def _validate_aliases(aliases: Sequence[HostAlias], path: Path, errors: ErrorList) -> None:
    for index, alias in enumerate(aliases):
        check(errors, ip_address, alias.ip, path, index, "ip")
        for position, name in enumerate(alias.hostnames):
            check(errors, dns1123_subdomain, name, path, index, "hostnames", position)


def _validate_override(spec: PodSpec, name: str, path: Path, errors: ErrorList) -> None:
    if spec.setHostnameAsFQDN:
        errors.forbidden(path, "may not be specified when setHostnameAsFQDN is true")
    if spec.hostNetwork:
        errors.forbidden(path, "may not be specified when hostNetwork is true")
    if len(name) > _LONGEST_HOST_NAME:
        errors.too_long(path, _LONGEST_HOST_NAME)
    check(errors, dns1123_subdomain, name, path)


def _validate_host_ports(spec: PodSpec, errors: ErrorList) -> None:
    """Those of containers that run side by side differ; initializing ones run one after the other."""
    _check_unlike(spec.containers, "containers", errors)
    for container in spec.initContainers:
        _check_unlike((container,), "initContainers", errors)
    if not spec.hostNetwork:
        return
    for index, container in enumerate(spec.containers):
        for position, port in enumerate(container.ports):
            if port.hostPort and port.hostPort != port.containerPort:
                where = at(ROOT, "containers", index, "ports", position, "hostPort")
                errors.invalid(where, port.hostPort, "must match `containerPort` when `hostNetwork` is true")


def _check_unlike(containers: Sequence[Container], field: str, errors: ErrorList) -> None:
    """field: which the containers are in."""
    taken: set[tuple[str, str, int]] = set()
    for index, container in enumerate(containers):
        for position, port in enumerate(container.ports):
            if not port.hostPort:
                continue
            key = (port.protocol, port.hostIP, port.hostPort)
            if key in taken:
                where = at(ROOT, field, index, "ports", position, "hostPort")
                errors.duplicate(where, f"{port.protocol}/{port.hostIP}/{port.hostPort}")
            taken.add(key)
