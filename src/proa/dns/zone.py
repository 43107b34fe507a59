"""The cluster's zone: an immutable table from Services and EndpointSlices, after the DNS specification 1.1.0.

(https://github.com/kubernetes/dns, docs/specification.md.) A change of one service is a new zone that shares the rest.
Names under `pod` are answered from the name alone ("1-2-3-4.ns.pod"), for every namespace. A namespace is known here
by its services. Not here: packets, caches, other zones.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import NamedTuple

from proa.api.core_v1.service import Service
from proa.api.discovery_v1.types import Endpoint, EndpointSlice
from proa.dns import wire
from proa.dns.wire import Code, Record

SPECIFICATION = "1.1.0"
SERVICE_NAME_LABEL = "kubernetes.io/service-name"
TTL = 5
"""Seconds: services come and go, and the server is on the client's node."""


class Answer(NamedTuple):
    """What the zone knows: with an empty NOERROR answer the name exists, but not this type (NODATA)."""

    code: Code
    records: tuple[Record, ...] = ()
    additional: tuple[Record, ...] = ()


@dataclass(frozen=True, slots=True)
class ServiceNames:
    """One service's records by name, and the names its addresses have (for PTR)."""

    records: Mapping[str, tuple[Record, ...]]
    pointers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Zone:
    """`domain` without dots at its ends, such as cluster.local. Services are keyed by (namespace, name)."""

    domain: str = "cluster.local"
    services: Mapping[tuple[str, str], ServiceNames] = field(default_factory=dict)
    names: Mapping[str, tuple[Record, ...]] = field(default_factory=dict)
    pointers: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    namespaces: Mapping[str, int] = field(default_factory=dict)
    serial: int = 1

    def with_services(self, changes: Mapping[tuple[str, str], ServiceNames | None]) -> Zone:
        """The zone in which these services have these names; None takes one out. Same object when nothing changes."""
        changes = {key: new for key, new in changes.items() if self.services.get(key) != new}
        if not changes:
            return self
        services, names = dict(self.services), dict(self.names)
        pointers, namespaces = dict(self.pointers), dict(self.namespaces)
        for key, new in changes.items():
            old = services.pop(key, None)
            if old is not None:
                for name in old.records:
                    del names[name]
                for ip, name in old.pointers:
                    pointers[ip] = tuple(other for other in pointers[ip] if other != name)
                namespaces[key[0]] -= 1
            if new is not None:
                services[key] = new
                names.update(new.records)
                for ip, name in new.pointers:
                    pointers[ip] = (*pointers.get(ip, ()), name)
                namespaces[key[0]] = namespaces.get(key[0], 0) + 1
        return Zone(self.domain, services, names, pointers, namespaces, self.serial + 1)

    def covers(self, name: str) -> bool:
        """Whether the name is this zone's to answer."""
        return name == self.domain or name.endswith("." + self.domain)

    @property
    def authority(self) -> Record:
        return wire.authority(self.domain, self.serial, TTL)

    def lookup(self, name: str, type: int) -> Answer:
        """The answer for a covered name; a CNAME within the zone is followed."""
        records = self.names.get(name) or self._fixed(name)
        if not records:
            return Answer(Code.NOERROR if self._has_below(name) else Code.NXDOMAIN)
        found = tuple(r for r in records if r.type == type or type == wire.ANY)
        if not found:
            alias = next((r for r in records if r.type == wire.CNAME), None)
            if alias is None:
                return Answer(Code.NOERROR)
            target = self.alias_target(alias)
            if self.covers(target) and target != name and type in (wire.A, wire.AAAA):
                direct = tuple(r for r in self.names.get(target, ()) if r.type == type)
                return Answer(Code.NOERROR, (alias, *direct))
            return Answer(Code.NOERROR, (alias,))
        return Answer(Code.NOERROR, found, self._addresses_of(found) if type == wire.SRV else ())

    def reverse(self, ip: str) -> tuple[str, ...]:
        """The names of an address of a service or of a headless service's endpoint."""
        return self.pointers.get(ip, ())

    @staticmethod
    def alias_target(record: Record) -> str:
        """The name a CNAME of this zone leads to."""
        labels, offset = [], 0
        while length := record.data[offset]:
            labels.append(record.data[offset + 1 : offset + 1 + length].decode())
            offset += 1 + length
        return ".".join(labels).lower()

    def _addresses_of(self, found: tuple[Record, ...]) -> tuple[Record, ...]:
        targets = dict.fromkeys(self.alias_target(Record("", wire.SRV, 0, record.data[6:])) for record in found)
        return tuple(r for name in targets for r in self.names.get(name, ()) if r.type in (wire.A, wire.AAAA))

    def _fixed(self, name: str) -> tuple[Record, ...]:
        labels = self._labels(name)
        if not labels:
            return (self.authority, wire.pointer(name, wire.NS, f"ns.dns.{self.domain}", TTL))
        if labels == ["dns-version"]:
            return (wire.words(name, SPECIFICATION, TTL),)
        if len(labels) == 3 and labels[2] == "pod":
            ip = _undashed(labels[0])
            return (wire.address(name, ip, TTL),) if ip else ()
        return ()

    def _labels(self, name: str) -> list[str]:
        return name[: -len(self.domain) - 1].split(".") if name != self.domain else []

    def _has_below(self, name: str) -> bool:
        """Whether the name has no records but names below it (an empty non-terminal, RFC 8020)."""
        labels = self._labels(name)
        if labels[-1] not in ("svc", "pod"):
            return False
        if len(labels) == 1:
            return True
        if labels[-1] == "pod":
            return len(labels) == 2
        if len(labels) == 2:
            return self.namespaces.get(labels[0], 0) > 0
        service = self.services.get((labels[-2], labels[-3]))
        return service is not None and any(other.endswith("." + name) for other in service.records)


def _dashed(ip: str) -> str:
    return ip.replace(".", "-").replace(":", "-")


def _undashed(label: str) -> str | None:
    for separator in (".", ":"):
        try:
            return str(ip_address(label.replace("-", separator)))
        except ValueError:
            continue
    return None


def service_names(service: Service, slices: Iterable[EndpointSlice], domain: str) -> ServiceNames:
    """The records of one service: cluster IP, headless (its endpoints) or ExternalName, with SRV and PTR."""
    spec, meta = service.spec, service.metadata
    name = f"{meta.name}.{meta.namespace}.svc.{domain}"
    if spec.type == "ExternalName":
        return ServiceNames({name: (wire.pointer(name, wire.CNAME, spec.externalName.lower(), TTL),)})
    addresses = [ip for ip in spec.clusterIPs or (spec.clusterIP,) if ip not in ("", "None")]
    records: dict[str, list[Record]] = {}

    def add(record: Record) -> None:
        into = records.setdefault(record.name, [])
        if record not in into:
            into.append(record)

    if addresses:
        for ip in addresses:
            add(wire.address(name, ip, TTL))
        for port in spec.ports:
            if port.name:
                add(wire.service(f"_{port.name}._{(port.protocol or 'TCP').lower()}.{name}", name, port.port, 100, TTL))
        pointers = [(str(ip_address(ip)), name) for ip in addresses]
    else:
        pointers = []
        for endpoint, ports in _ready(slices, spec.publishNotReadyAddresses):
            for ip in endpoint.addresses:
                own = f"{(endpoint.hostname or _dashed(ip)).lower()}.{name}"
                add(wire.address(name, ip, TTL))
                add(wire.address(own, ip, TTL))
                pointers.append((str(ip_address(ip)), own))
                for port_name, protocol, number in ports:
                    add(wire.service(f"_{port_name}._{protocol}.{name}", own, number, 100, TTL))
    return ServiceNames({key: tuple(found) for key, found in records.items()}, tuple(dict.fromkeys(pointers)))


def _ready(
    slices: Iterable[EndpointSlice], publish_not_ready: bool
) -> Iterator[tuple[Endpoint, list[tuple[str, str, int]]]]:
    """Endpoints to publish, each with its named ports (name, protocol in lower case, number)."""
    for endpoint_slice in slices:
        if endpoint_slice.addressType == "FQDN":
            continue
        ports = [(p.name, (p.protocol or "TCP").lower(), p.port) for p in endpoint_slice.ports if p.name and p.port]
        for endpoint in endpoint_slice.endpoints:
            if publish_not_ready or endpoint.conditions.ready is not False:
                yield endpoint, ports
