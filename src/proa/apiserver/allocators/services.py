"""Addresses and ports of Services: taken before a Service is stored, given back when it is not, or goes.

What is taken is learnt from the stored Services at the start (`load`) and kept in memory: one server process allocates.
A `registry.hooks.Hooks`. Not here: what the object itself may say (the Service's strategy).
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable, Iterator, Mapping
from random import Random
from typing import Any

from proa.apiserver.allocators.pool import Pool
from proa.apiserver.metadata import Document
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path

HEADLESS = "None"
_SPEC = Path("spec")


class ServiceAllocator:
    """service_cidr: where cluster addresses come from (IPv4 or IPv6, one family). node_ports: first and last port."""

    def __init__(
        self, service_cidr: str, node_ports: tuple[int, int] = (30000, 32767), random: Random | None = None
    ) -> None:
        self._network = ipaddress.ip_network(service_cidr)
        usable = min(self._network.num_addresses - 2, 1 << 16)  # neither the first nor the last address
        self._addresses = Pool(usable, min(max(16, usable // 16), 256), random)
        self._first, self._last = node_ports
        count = self._last - self._first + 1
        self._ports = Pool(count, min(max(16, count // 32), 128), random)
        self._family = f"IPv{self._network.version}"

    def load(self, services: Iterable[Mapping[str, Any]]) -> None:
        """Take what stored Services hold."""
        for service in services:
            address, ports = _held(service)
            if address is not None:
                self._addresses.take(self._offset(address))
            for port in ports:
                self._ports.take(port - self._first)

    def address(self, offset: int) -> str:
        """The cluster address at an offset; 0 is the `kubernetes` Service's."""
        return str(self._network[offset + 1])

    def begin_create(self, document: Document, *, dry_run: bool) -> Callable[[bool], None]:
        """See `Hooks`."""
        return self._begin(document, None)

    def begin_update(self, document: Document, old: Mapping[str, Any], *, dry_run: bool) -> Callable[[bool], None]:
        """See `Hooks`. What a client leaves out of an update it keeps."""
        _keep(document, old)
        return self._begin(document, old)

    def deleted(self, document: Mapping[str, Any]) -> None:
        """See `Hooks`."""
        address, ports = _held(document)
        if address is not None:
            self._addresses.release(self._offset(address))
        for port in ports:
            self._ports.release(port - self._first)

    def statistics(self) -> dict[str, int]:
        return {
            **{f"addresses_{name}": value for name, value in self._addresses.statistics().items()},
            **{f"node_ports_{name}": value for name, value in self._ports.statistics().items()},
        }

    def _begin(self, document: Document, old: Mapping[str, Any] | None) -> Callable[[bool], None]:
        held_address, held_ports = _held(old) if old is not None else (None, set())
        addresses: list[int] = []
        ports: list[int] = []
        try:
            self._take_address(document, held_address, addresses)
            self._take_ports(document, held_ports, ports)
        except BaseException:
            self._give_back(addresses, ports)
            raise

        def finish(done: bool) -> None:
            if not done:
                self._give_back(addresses, ports)
                return
            address, kept = _held(document)
            if held_address is not None and held_address != address:
                self._addresses.release(self._offset(held_address))
            for port in held_ports - kept:
                self._ports.release(port - self._first)

        return finish

    def _give_back(self, addresses: list[int], ports: list[int]) -> None:
        for offset in addresses:
            self._addresses.release(offset)
        for offset in ports:
            self._ports.release(offset)

    def _take_address(self, document: Document, held: str | None, taken: list[int]) -> None:
        spec = document.setdefault("spec", {})
        if spec.get("type") == "ExternalName":
            for field in ("clusterIPs", "ipFamilies", "ipFamilyPolicy"):
                spec.pop(field, None)
            if not spec.get("clusterIP"):
                spec.pop("clusterIP", None)
            return
        listed = spec.get("clusterIPs") or []
        address = spec.get("clusterIP") or (listed[0] if listed else "")
        if listed and address != listed[0]:
            self._refuse(document, "clusterIPs", listed, "first value must match `clusterIP`")
        if len(listed) > 1:
            self._refuse(document, "clusterIPs", listed, "may only hold one value: the cluster is single-stack")
        families = spec.get("ipFamilies") or [self._family]
        if families != [self._family]:
            self._refuse(document, "ipFamilies", families, f"this cluster is configured for {self._family} only")
        if spec.get("ipFamilyPolicy") == "RequireDualStack":
            self._refuse(
                document, "ipFamilyPolicy", "RequireDualStack", "this cluster is not configured for dual-stack services"
            )
        if address == "":
            offset = self._addresses.take_any()
            if offset is None:
                why = f"failed to allocate a serviceIP: range {self._network} is full"
                raise failures.internal_error(why)
            taken.append(offset)
            address = self.address(offset)
        elif address not in (HEADLESS, held):
            offset = self._offset(address)
            if not 0 <= offset < self._addresses.size:
                why = f"failed to allocate IP {address}: the provided IP is not in the valid range {self._network}"
                self._refuse(document, "clusterIPs", [address], why)
            if not self._addresses.take(offset):
                why = f"failed to allocate IP {address}: provided IP is already allocated"
                self._refuse(document, "clusterIPs", [address], why)
            taken.append(offset)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]
        spec["ipFamilies"] = families
        spec.setdefault("ipFamilyPolicy", "SingleStack")

    def _take_ports(self, document: Document, held: set[int], taken: list[int]) -> None:
        spec = document["spec"]
        if not _uses_node_ports(spec):
            return
        mine: dict[int, set[str]] = {}
        shared: dict[int, int] = {}
        wanting = []
        for index, port in enumerate(spec.get("ports") or []):
            number = port.get("nodePort")
            if not number:
                wanting.append(port)
                continue
            protocols = mine.setdefault(number, set())
            if not protocols and number not in held:
                self._take_port(document, number, _SPEC.child("ports").index(index).child("nodePort"), taken)
            protocols.add(port.get("protocol", "TCP"))
            shared[port["port"]] = number
        for port in wanting:
            protocol = port.get("protocol", "TCP")
            number = shared.get(port["port"])
            if number is None or protocol in mine.get(number, set()):
                number = self._any_port(taken)
            mine.setdefault(number, set()).add(protocol)
            shared[port["port"]] = port["nodePort"] = number
        if spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local":
            number = spec.get("healthCheckNodePort")
            if not number:
                spec["healthCheckNodePort"] = self._any_port(taken)
            elif number not in held:
                self._take_port(document, number, _SPEC.child("healthCheckNodePort"), taken)

    def _any_port(self, taken: list[int]) -> int:
        offset = self._ports.take_any()
        if offset is None:
            raise failures.internal_error("failed to allocate a nodePort: range is full")
        taken.append(offset)
        return self._first + offset

    def _take_port(self, document: Document, number: int, path: Path, taken: list[int]) -> None:
        errors = ErrorList()
        if not self._first <= number <= self._last:
            errors.invalid(path, number, f"provided port is not in the valid range. The range of valid ports is "
                                         f"{self._first}-{self._last}")  # fmt: skip
        elif not self._ports.take(number - self._first):
            errors.invalid(path, number, "provided port is already allocated")
        else:
            taken.append(number - self._first)
            return
        raise failures.invalid("", "Service", document["metadata"].get("name", ""), errors)

    def _offset(self, address: str) -> int:
        """The offset of an address, out of range when it is none of the network's."""
        try:
            parsed = ipaddress.ip_address(address)
        except ValueError:
            return -1
        if parsed.version != self._network.version:
            return -1
        return int(parsed) - int(self._network.network_address) - 1

    def _refuse(self, document: Document, field: str, value: Any, why: str) -> None:
        errors = ErrorList()
        errors.invalid(_SPEC.child(field), value, why)
        raise failures.invalid("", "Service", document["metadata"].get("name", ""), errors)


def _uses_node_ports(spec: Mapping[str, Any]) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def _held(service: Mapping[str, Any]) -> tuple[str | None, set[int]]:
    """The address and the node ports a Service holds."""
    spec = service.get("spec") or {}
    address = spec.get("clusterIP") or None
    if spec.get("type") == "ExternalName" or address == HEADLESS:
        address = None
    return address, set(_node_ports(spec))


def _node_ports(spec: Mapping[str, Any]) -> Iterator[int]:
    for port in spec.get("ports") or []:
        if port.get("nodePort"):
            yield port["nodePort"]
    if spec.get("healthCheckNodePort"):
        yield spec["healthCheckNodePort"]


def _keep(document: Document, old: Mapping[str, Any]) -> None:
    """Fill in what was allocated before and an update leaves out."""
    spec, before = document.setdefault("spec", {}), old.get("spec") or {}
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(field) and before.get(field):
                spec[field] = before[field]
    elif spec.get("type") == "ExternalName" and spec.get("clusterIP") == before.get("clusterIP"):
        spec.pop("clusterIP", None)
    if _uses_node_ports(spec) and _uses_node_ports(before):
        known = {
            (each.get("protocol", "TCP"), each["port"]): each.get("nodePort") for each in before.get("ports") or []
        }
        used = {each.get("nodePort") for each in spec.get("ports") or []}
        for port in spec.get("ports") or []:
            number = known.get((port.get("protocol", "TCP"), port.get("port")))
            if not port.get("nodePort") and number and number not in used:
                port["nodePort"] = number
    if before.get("healthCheckNodePort") and spec.get("externalTrafficPolicy") == "Local" and _uses_node_ports(spec):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])
