"""How network policies and the addresses of services differ from the generic registry.

Not here: ingresses (`ingress_strategies`).
"""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from proa.api.networking_v1.addresses import IPAddress, ServiceCIDR
from proa.api.networking_v1.network_policy import IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort
from proa.machinery.address_spelling import network_warnings
from proa.machinery.addresses import canonical_cidr, canonical_ip_address, cidr, network_of
from proa.machinery.checks import check_names, check_unchanged
from proa.machinery.fields import ErrorList, Path
from proa.machinery.names import dns1123_subdomain, path_segment, port_name, port_number
from proa.machinery.object_meta import validate_label_selector
from proa.machinery.strategy import DefaultStrategy

Document = dict[str, Any]
_SPEC = Path("spec")
_CIDRS = _SPEC.child("cidrs")


class NetworkPolicyStrategy(DefaultStrategy):
    def default(self, document: Document) -> None:
        spec = document.get("spec")
        if spec is not None and not spec.get("policyTypes"):
            spec["policyTypes"] = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]

    def validate(self, new: NetworkPolicy, errors: ErrorList) -> None:
        spec = new.spec
        validate_label_selector(spec.podSelector, errors, _SPEC.child("podSelector"))
        ingress = [(each.ports, _SPEC.child("ingress").index(at)) for at, each in enumerate(spec.ingress)]
        egress = [(each.ports, _SPEC.child("egress").index(at)) for at, each in enumerate(spec.egress)]
        for ports, path in ingress + egress:
            for number, port in enumerate(ports):
                _validate_port(port, path.child("ports").index(number), errors)
        for peer, at in _peers(new):
            _validate_peer(peer, at, errors)
        if len(spec.policyTypes) > 2:
            detail = "may not specify more than two policyTypes"
            errors.invalid(_SPEC.child("policyTypes"), spec.policyTypes, detail)

    def validate_create(self, new: NetworkPolicy, errors: ErrorList) -> None:
        _validate_blocks(new, frozenset(), errors)

    def validate_update(self, new: NetworkPolicy, old: NetworkPolicy, errors: ErrorList) -> None:
        # What was stored before the rules became stricter may stay, in whatever rule it is now.
        blocks = [peer.ipBlock for peer, _ in _peers(old) if peer.ipBlock is not None]
        _validate_blocks(new, {text for each in blocks for text in (each.cidr, *each.except_)}, errors)

    def warnings(self, new: NetworkPolicy, old: NetworkPolicy | None) -> list[str]:
        found = []
        for peer, path in _peers(new):
            if peer.ipBlock is not None:
                at = path.child("ipBlock")
                found += network_warnings(peer.ipBlock.cidr, at.child("cidr"))
                for position, text in enumerate(peer.ipBlock.except_):
                    found += network_warnings(text, at.child("except").index(position))
        return found


def _peers(policy: NetworkPolicy) -> list[tuple[NetworkPolicyPeer, Path]]:
    """Every peer of a policy, and where it is."""
    spec = policy.spec
    return [
        (peer, _SPEC.child("ingress").index(position).child("from").index(number))
        for position, rule in enumerate(spec.ingress)
        for number, peer in enumerate(rule.from_)
    ] + [
        (peer, _SPEC.child("egress").index(position).child("to").index(number))
        for position, outgoing in enumerate(spec.egress)
        for number, peer in enumerate(outgoing.to)
    ]


def _validate_port(port: NetworkPolicyPort, path: Path, errors: ErrorList) -> None:
    number, end, end_path = port.port, port.endPort, path.child("endPort")
    if number is None:
        if end is not None:
            errors.invalid(end_path, end, "may not be specified when `port` is not specified")
    elif isinstance(number, str):
        if end is not None:
            errors.invalid(end_path, end, "may not be specified when `port` is non-numeric")
        check_names(errors, path.child("port"), number, port_name(number))
    else:
        for problem in port_number(number):
            errors.invalid(path.child("port"), number, problem)
        if end is not None:
            if end < number:
                errors.invalid(end_path, number, "must be greater than or equal to `port`")
            for problem in port_number(end):
                errors.invalid(end_path, end, problem)


def _validate_peer(peer: NetworkPolicyPeer, path: Path, errors: ErrorList) -> None:
    validate_label_selector(peer.podSelector, errors, path.child("podSelector"))
    validate_label_selector(peer.namespaceSelector, errors, path.child("namespaceSelector"))
    selecting = peer.podSelector is not None or peer.namespaceSelector is not None
    if peer.ipBlock is None and not selecting:
        errors.required(path, "must specify a peer")
    elif peer.ipBlock is not None and selecting:
        errors.forbidden(path, "may not specify both ipBlock and another peer")


def _validate_blocks(policy: NetworkPolicy, known: Set[str], errors: ErrorList) -> None:
    for peer, at in _peers(policy):
        if peer.ipBlock is not None:
            _validate_block(peer.ipBlock, at.child("ipBlock"), known, errors)


def _validate_block(block: IPBlock, path: Path, known: Set[str], errors: ErrorList) -> None:
    if not block.cidr:
        errors.required(path.child("cidr"))
        return
    if block.cidr not in known:
        check_names(errors, path.child("cidr"), block.cidr, cidr(block.cidr))
    whole = network_of(block.cidr)
    for position, text in enumerate(block.except_):
        at = path.child("except").index(position)
        if text not in known:
            check_names(errors, at, text, cidr(text))
        part = network_of(text)
        if whole is None or part is None:
            continue
        inside = part.version == whole.version and part.network_address in whole
        if not inside or part.prefixlen <= whole.prefixlen:
            errors.invalid(at, text, "must be a strict subset of `cidr`")


class IPAddressStrategy(DefaultStrategy):
    def validate(self, new: IPAddress, errors: ErrorList) -> None:
        name = new.metadata.name
        check_names(errors, Path("metadata", "name"), name, canonical_ip_address(name))
        parent, at = new.spec.parentRef, _SPEC.child("parentRef")
        if parent is None:
            errors.required(at)
            return
        if parent.group:
            check_names(errors, at.child("group"), parent.group, dns1123_subdomain(parent.group))
        for field in ("resource", "name"):
            if not getattr(parent, field):
                errors.required(at.child(field))
        for field in ("resource", "name", "namespace"):
            value = getattr(parent, field)
            check_names(errors, at.child(field), value, path_segment(value))

    def validate_update(self, new: IPAddress, old: IPAddress, errors: ErrorList) -> None:
        check_unchanged(errors, _SPEC.child("parentRef"), new.spec.parentRef, old.spec.parentRef)


class ServiceCIDRStrategy(DefaultStrategy):
    def validate_create(self, new: ServiceCIDR, errors: ErrorList) -> None:
        _validate_cidrs(new.spec.cidrs, errors)

    def validate_update(self, new: ServiceCIDR, old: ServiceCIDR, errors: ErrorList) -> None:
        after, before = new.spec.cidrs, old.spec.cidrs
        grown = (len(before), len(after)) == (1, 2)
        if len(before) != len(after) and not grown:
            errors.immutable(_CIDRS, after)
            return
        for position, text in enumerate(before):
            check_unchanged(errors, _CIDRS.index(position), after[position], text)
        if grown:  # a range of the other family makes a cluster dual-stack
            _validate_cidrs(after, errors)


def _validate_cidrs(cidrs: tuple[str, ...], errors: ErrorList) -> None:
    if not cidrs:
        errors.required(_CIDRS, "at least one CIDR required")
    elif len(cidrs) > 2:
        errors.invalid(_CIDRS, {"cidrs": cidrs}, "may only hold up to 2 values")
    else:
        for position, text in enumerate(cidrs):
            check_names(errors, _CIDRS.index(position), text, canonical_cidr(text))
        families = [network.version for each in cidrs if (network := network_of(each)) is not None]
        if len(families) == 2 and families[0] == families[1]:
            detail = "may specify no more than one IP for each IP family, i.e 192.168.0.0/24 and 2001:db8::/64"
            errors.invalid(_CIDRS, cidrs, detail)
