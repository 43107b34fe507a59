"""Addresses and ports of Services: taken before a Service is stored, given back when it is not, or goes.

What is held is learnt from the stored Services at the start (`load`) and kept in memory: one server process allocates.
A number is held by the stored Service, by the request that is to store it and by the write under way, and is free when
nobody holds it; of an address there must be no IPAddress either, which is created before the Service is written and
deleted after it is gone. A server that dies in between leaves an IPAddress too many, never one too few (`repair`).

A `registry.hooks.Hooks`. Not here: what the object itself may say (the Service's strategy).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from random import Random
from typing import Any, NamedTuple

import msgspec

from proa.aio.tasks import TaskScope
from proa.api.core_v1 import Service, ServiceSpec
from proa.api.networking_v1 import IPAddress
from proa.apiserver.allocators.families import settle_families
from proa.apiserver.allocators.pool import Holds, Range
from proa.apiserver.allocators.ranges import ServiceRanges
from proa.apiserver.allocators.records import AddressRecords
from proa.apiserver.metadata import Document
from proa.apiserver.options import ReadOptions
from proa.apiserver.registry import Registry
from proa.machinery import status as failures
from proa.machinery.fields import ErrorList, Path
from proa.machinery.meta import ObjectMeta
from proa.rules.service_addresses import HEADLESS, canonical, cluster_addresses, service_key
from proa.store.item import Item
from proa.store.protocol import Conflict

log = logging.getLogger(__name__)

_SPEC = Path("spec")


class Held(NamedTuple):
    """What a Service holds: addresses in canonical form, node ports."""

    addresses: frozenset[str] = frozenset()
    ports: frozenset[int] = frozenset()

    @classmethod
    def of(cls, spec: ServiceSpec) -> Held:
        return cls(frozenset(cluster_addresses(spec)), frozenset(_node_ports(spec)))

    def without(self, other: Held) -> Held:
        return Held(self.addresses - other.addresses, self.ports - other.ports)


_NOTHING = Held()


class ServiceAllocator:
    """service_cidr: the default range of addresses (IPv4 or IPv6, one family). node_ports: first and last port."""

    def __init__(
        self, service_cidr: str, node_ports: tuple[int, int] = (30000, 32767), random: Random | None = None
    ) -> None:
        self.ranges = ServiceRanges(service_cidr)
        self._family = f"IPv{self.ranges.version}"
        self._addresses: Holds[str] = Holds()
        first, last = node_ports
        count = last - first + 1
        self._port_range = Range(first, count, min(max(16, count // 32), 128))
        self._ports: Holds[int] = Holds()
        self._chance = random or Random()
        self._scope = TaskScope("writes of services")

    async def load(self, services: Registry, records: AddressRecords) -> None:
        """Take what stored Services hold. records: of their addresses."""
        self._services, self._records = services, records
        for item in (await services.list("", ReadOptions())).items:
            self._hold(Held.of(item.object.spec))

    async def close(self) -> None:
        """Wait for the writes that were begun."""
        await self._scope.join()

    def begin_create(self, document: Document, *, dry_run: bool) -> Callable[[bool], None]:
        """See `Hooks`."""
        return self._begin(document, _NOTHING, changes=False)

    def begin_update(self, document: Document, old: Mapping[str, Any], *, dry_run: bool) -> Callable[[bool], None]:
        """See `Hooks`. What a client leaves out of an update it keeps."""
        _keep(document, old)
        before = old.get("spec") or {}
        changes = bool(before.get("clusterIP")) and before["clusterIP"] != document["spec"].get("clusterIP")
        return self._begin(document, Held.of(msgspec.convert(before, ServiceSpec)), changes=changes)

    async def write(
        self, old: Service | None, new: Service | None, writing: Coroutine[Any, Any, int | Conflict]
    ) -> int | Conflict:
        """See `Hooks`. A write that takes or gives back is seen to its end when the request is given up meanwhile:
        only then is it known what is held."""
        before = Held.of(old.spec) if old is not None else _NOTHING
        after = Held.of(new.spec) if new is not None else _NOTHING
        if before == after:
            return await writing
        self._hold(after.without(before))  # now: the request's own hold may end before the task begins
        task = self._scope.spawn(self._exchange(old, new, before, after, writing), name=_name(old, new))
        outcome = await asyncio.shield(task)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def statistics(self) -> dict[str, int]:
        return {
            "addresses_size": self.ranges.size,
            "addresses_taken": len(self._addresses),
            "node_ports_size": self._port_range.size,
            "node_ports_taken": len(self._ports),
        }

    # -- the store's write ----------------------------------------------------------------------------------------

    async def _exchange(
        self,
        old: Service | None,
        new: Service | None,
        before: Held,
        after: Held,
        writing: Coroutine[Any, Any, int | Conflict],
    ) -> int | Conflict | Exception:
        """The write, the objects made before it, what is given back after it; its outcome, or what it raised."""
        taken, left = after.without(before), before.without(after)
        made: Sequence[IPAddress] = ()
        done: bool | None = False
        outcome: int | Conflict | Exception
        with closing(writing):
            try:
                standing = await self._standing(new) if old is None and new is not None else None
                if standing is not None:
                    outcome = Conflict(standing.entry)
                else:
                    if new is not None:
                        made = await self._records.make(sorted(taken.addresses), new)
                    done = None
                    outcome = await writing
                    done = not isinstance(outcome, Conflict)
            except Exception as error:
                outcome = error
                if done is None:
                    done = await self._look(old, new, after)
        if done is not None:
            self._release(left if done else taken)
            await self._records.remove(self._records_of(old, left.addresses) if done else made)
        return outcome

    async def _standing(self, new: Service) -> Item | None:
        """What has a new Service's name already, so that no IPAddress comes and goes for nothing."""
        meta = new.metadata
        return await self._newest(meta) if self._services.peek(meta.namespace, meta.name) is not None else None

    async def _look(self, old: Service | None, new: Service | None, after: Held) -> bool | None:
        """Whether a write was done that failed in the store. None: nobody can tell, and both states stay held."""
        meta = _meta(old, new)
        try:
            item = await self._newest(meta)
        except Exception as error:
            log.warning("whether service %s was written is not known: %s", _name(old, new), error)
            return None
        if item is None or item.object.metadata.uid != meta.uid:
            return new is None
        return new is not None and Held.of(item.object.spec) == after

    async def _newest(self, meta: ObjectMeta) -> Item | None:
        """The Service as it is in the store."""
        await self._services.cache.fresh()
        return self._services.peek(meta.namespace, meta.name)

    def _records_of(self, service: Service | None, addresses: Iterable[str]) -> list[IPAddress]:
        """The objects that say that these are the Service's."""
        found = [self._records.find(each) for each in addresses]
        return [each for each in found if each is not None and service is not None and _is_of(each, service.metadata)]

    def _hold(self, held: Held) -> None:
        for address in held.addresses:
            self._addresses.hold(address)
        for port in held.ports:
            self._ports.hold(port)

    def _release(self, held: Held) -> None:
        for address in held.addresses:
            self._addresses.release(address)
        for port in held.ports:
            self._ports.release(port)

    # -- a request's reservation ----------------------------------------------------------------------------------

    def _begin(self, document: Document, held: Held, *, changes: bool) -> Callable[[bool], None]:
        """changes: whether the Service had another address, so that this one is not even looked for: nobody may change
        it, which validation says."""
        addresses: set[str] = set()
        ports: set[int] = set()

        def finish(done: bool = False) -> None:  # what a write took is held by itself by now
            self._release(Held(frozenset(addresses), frozenset(ports)))

        try:
            self._take_address(document, held.addresses, addresses, changes=changes)
            self._take_ports(document, held.ports, ports)
        except BaseException:
            finish()
            raise
        return finish

    def _take_address(self, document: Document, held: Set[str], taken: set[str], *, changes: bool) -> None:
        spec = document.setdefault("spec", {})
        if spec.get("type") == "ExternalName":
            return
        if spec.get("clusterIP") and not spec.get("clusterIPs"):
            spec["clusterIPs"] = [spec["clusterIP"]]
        errors = ErrorList()
        settle_families(spec, self._family, errors)
        if errors:
            raise failures.invalid("", "Service", document["metadata"].get("name", ""), errors)
        address = spec.get("clusterIP") or ""
        if address == "":
            address = self._any_address()
            self._reserve(address, taken)
        elif address != HEADLESS and canonical(address) not in held and not changes:
            self._take_this(document, address, taken)
        spec["clusterIP"], spec["clusterIPs"] = address, [address]

    def _any_address(self) -> str:
        address = self.ranges.free(self._is_taken, self._chance)
        if address is None:
            raise failures.internal_error("failed to allocate a serviceIP: range is full")
        return address

    def _is_taken(self, address: str) -> bool:
        return address in self._addresses or self._records.find(address) is not None

    def _take_this(self, document: Document, address: str, taken: set[str]) -> None:
        why = ""
        if address not in self.ranges:
            why = f"the provided IP is not in the valid range {self.ranges}"
        elif canonical(address) in self._addresses or self._is_of_another(canonical(address), document):
            why = "provided IP is already allocated"
        if why:
            self._refuse(document, "clusterIPs", [address], f"failed to allocate IP {address}: {why}")
        self._reserve(canonical(address), taken)

    def _is_of_another(self, address: str, document: Document) -> bool:
        """Whether an IPAddress says that the address is not this Service's."""
        record = self._records.find(address)
        meta = document["metadata"]
        return record is not None and service_key(record) != f"{meta.get('namespace', '')}/{meta.get('name', '')}"

    def _reserve(self, address: str, taken: set[str]) -> None:
        self._addresses.hold(address)
        taken.add(address)

    def _take_ports(self, document: Document, held: Set[int], taken: set[int]) -> None:
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
        if _is_probed(spec):
            number = spec.get("healthCheckNodePort")
            if not number:
                spec["healthCheckNodePort"] = self._any_port(taken)
            elif number not in held:
                self._take_port(document, number, _SPEC.child("healthCheckNodePort"), taken)

    def _any_port(self, taken: set[int]) -> int:
        number = self._port_range.free(self._ports.__contains__, self._chance)
        if number is None:
            raise failures.internal_error("failed to allocate a nodePort: range is full")
        self._ports.hold(number)
        taken.add(number)
        return number

    def _take_port(self, document: Document, number: int, path: Path, taken: set[int]) -> None:
        errors = ErrorList()
        first, last = self._port_range.first, self._port_range.first + self._port_range.size - 1
        if number not in self._port_range:
            errors.invalid(path, number, f"provided port is not in the valid range. The range of valid ports is "
                                         f"{first}-{last}")  # fmt: skip
        elif number in self._ports:
            errors.invalid(path, number, "provided port is already allocated")
        else:
            self._ports.hold(number)
            taken.add(number)
            return
        raise failures.invalid("", "Service", document["metadata"].get("name", ""), errors)

    def _refuse(self, document: Document, field: str, value: Any, why: str) -> None:
        errors = ErrorList()
        errors.invalid(_SPEC.child(field), value, why)
        raise failures.invalid("", "Service", document["metadata"].get("name", ""), errors)


def _uses_node_ports(spec: Mapping[str, Any]) -> bool:
    kind = spec.get("type")
    return kind == "NodePort" or (kind == "LoadBalancer" and spec.get("allocateLoadBalancerNodePorts") is not False)


def _is_probed(spec: Mapping[str, Any]) -> bool:
    """Whether load balancers ask its nodes who has endpoints."""
    return spec.get("type") == "LoadBalancer" and spec.get("externalTrafficPolicy") == "Local"


def _node_ports(spec: ServiceSpec) -> Iterator[int]:
    for port in spec.ports:
        if port.nodePort:
            yield port.nodePort
    if spec.healthCheckNodePort:
        yield spec.healthCheckNodePort


def _meta(old: Service | None, new: Service | None) -> ObjectMeta:
    service = new or old
    assert service is not None
    return service.metadata


def _name(old: Service | None, new: Service | None) -> str:
    meta = _meta(old, new)
    return f"{meta.namespace}/{meta.name}"


def _is_of(record: IPAddress, meta: ObjectMeta) -> bool:
    return service_key(record) == f"{meta.namespace}/{meta.name}"


def _keep(document: Document, old: Mapping[str, Any]) -> None:
    """Fill in what was allocated before and an update leaves out."""
    spec, before = document.setdefault("spec", {}), old.get("spec") or {}
    if "ExternalName" not in (spec.get("type"), before.get("type")):
        address, same = spec.get("clusterIP"), spec.get("clusterIPs") == before.get("clusterIPs")
        if address and address != before.get("clusterIP") and same:
            spec["clusterIPs"] = [address]
        for field in ("clusterIP", "clusterIPs", "ipFamilies", "ipFamilyPolicy"):
            if not spec.get(field) and before.get(field):
                spec[field] = before[field]
    if _uses_node_ports(spec) and _uses_node_ports(before):
        known = {each.get("name", ""): each.get("nodePort") for each in before.get("ports") or []}
        used = {each.get("nodePort") for each in spec.get("ports") or []}
        for port in spec.get("ports") or []:
            number = known.get(port.get("name", ""))
            if not port.get("nodePort") and number and number not in used:
                port["nodePort"] = number
    if before.get("healthCheckNodePort") and _is_probed(spec):
        spec.setdefault("healthCheckNodePort", before["healthCheckNodePort"])
