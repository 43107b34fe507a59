"""Services and IPAddresses brought in line: each address of a Service has its object, each such object its Service.

Both look at what a server that died in the middle of a write left, and at what people did. The copies may be a moment
old, so before anything is written the API is asked. Source: KEP-1880. Not here: the IPAddresses of writes that go well
(`records`).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any, TypeVar

from proa.api.core_v1 import Service
from proa.api.core_v1.resources import SERVICES
from proa.api.networking_v1 import IPAddress, ServiceCIDR
from proa.api.networking_v1.resources import IP_ADDRESSES, SERVICE_CIDRS
from proa.client.informer import key_of, split_key
from proa.client.protocol import Client
from proa.control.controller import Context, Controller
from proa.control.deletion import delete_exactly
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.triggers import For, Maps, Trigger
from proa.machinery.declare import Object
from proa.machinery.resource import Resource
from proa.machinery.status import StatusError, is_not_found
from proa.machinery.timestamps import parse
from proa.rules.service_addresses import (
    cluster_addresses,
    is_managed,
    is_within,
    labels_of,
    record_of,
    reference_to,
    service_key,
)

T = TypeVar("T", bound=Object)

COMPONENT = "ipallocator-repair-controller"

# How long an IPAddress may wait for its Service to be written: the default of how long a request may take.
_GRACE_SECONDS = 60.0
# How long one may be there for a Service that has another address: who made it, or gave it up, is taking it back.
_REVERT_SECONDS = 5.0


class ServiceAddressRepair(Controller):
    """Keys are Services: each of their addresses has an IPAddress that says so."""

    name = "ipallocator-repair-services"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(SERVICES)
        self._records = context.informer(IP_ADDRESSES)
        self._cidrs = context.informer(SERVICE_CIDRS)
        self._events = context.recorder(COMPONENT)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (
            For(SERVICES, when=_has_others),
            Maps(IP_ADDRESSES, _service_of),
            Maps(SERVICE_CIDRS, self._without_record),
        )

    async def reconcile(self, key: str) -> Outcome:
        service = self._services.get(key)
        if service is not None:
            for address in cluster_addresses(service.spec):
                await self._bring_in_line(service, address)
        return DONE

    async def _bring_in_line(self, service: Service, address: str) -> None:
        key = key_of(service)
        if not is_within(self._cidrs.list(), address):
            message = f"Cluster IP {address} is not within any configured Service CIDR; please recreate service"
            self._events.warning(service, "ClusterIPOutOfRange", message)
            return
        record = self._records.get(address) or await _newest(self.client, IP_ADDRESSES, address)
        if record is not None and record.spec.parentRef == reference_to(service):
            if all(record.metadata.labels.get(name) == value for name, value in labels_of(address).items()):
                return
        elif record is not None and self._is_shared(record):
            message = f"Cluster IP {address} was assigned to multiple services; please recreate service"
            self._events.warning(service, "ClusterIPAlreadyAllocated", message)
            return
        now = await _newest(self.client, SERVICES, key)
        if now is None or now.metadata.uid != service.metadata.uid or address not in cluster_addresses(now.spec):
            return
        what = "is not allocated" if record is None else f"for Service {key} has a wrong reference"
        self._events.warning(service, "ClusterIPNotAllocated", f"Cluster IP {address} {what}; repairing")
        if record is not None:
            await delete_exactly(self.client, IP_ADDRESSES, record)
        await self.client.create(IP_ADDRESSES, record_of(address, service))

    def _is_shared(self, record: IPAddress) -> bool:
        """Whether the Service that an IPAddress is of has its address indeed."""
        other = self._services.get(service_key(record))
        return other is not None and record.metadata.name in cluster_addresses(other.spec)

    def _without_record(self, old: ServiceCIDR | None, new: ServiceCIDR | None) -> Iterable[str]:
        """The Services whose addresses were in no range until this one came."""
        if old is not None or new is None:
            return
        for service in self._services.list():
            addresses = cluster_addresses(service.spec)
            if any(each not in self._records and is_within((new,), each) for each in addresses):
                yield key_of(service)


class IPAddressRepair(Controller):
    """Keys are IPAddresses that the allocator made: their Services have these addresses."""

    name = "ipallocator-repair-ipaddresses"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._services = context.informer(SERVICES)
        self._records = context.informer(IP_ADDRESSES)
        self._events = context.recorder(COMPONENT)
        self._left: dict[str, datetime] = {}  # when a Service was seen to give up an address

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(IP_ADDRESSES), Maps(SERVICES, self._given_up))

    async def reconcile(self, key: str) -> Outcome:
        record = self._records.get(key)
        if record is None or not is_managed(record):
            self._left.pop(key, None)
            return DONE
        service_name = service_key(record)
        if not service_name:
            parent = record.spec.parentRef
            message = f"IPAddress {key} appears to have been modified, not referencing a Service {parent}: cleaning up"
            return await self._clean_up(record, "IPAddressNotAllocated", message)
        service = self._services.get(service_name) or await _newest(self.client, SERVICES, service_name)
        if service is not None and key in cluster_addresses(service.spec):
            self._left.pop(key, None)
            return DONE
        created = _created(record)
        since = max(created, self._left.get(key, created))
        grace = _GRACE_SECONDS
        if service is not None and service.spec.type != "ExternalName":
            grace = _REVERT_SECONDS if key in self._left or created > _created(service) else 0.0
        left = grace - (self.now() - since).total_seconds()
        if left > 0:
            return requeue_after(left, "its Service may be about to be written")
        if service is None:
            message = f"IPAddress: {key} for Service {service_name} appears to have leaked: cleaning up"
            return await self._clean_up(record, "IPAddressNotAllocated", message)
        message = f"IPAddress: {key} for Service {service_name} has a wrong reference; cleaning up"
        return await self._clean_up(record, "IPAddressWrongReference", message)

    async def _clean_up(self, record: IPAddress, reason: str, message: str) -> Outcome:
        self._events.warning(record, reason, message)
        await delete_exactly(self.client, IP_ADDRESSES, record)
        return Outcome(note=message)

    def _given_up(self, old: Service | None, new: Service | None) -> Iterable[str]:
        """The addresses a Service had. Their objects go with them: that is looked after later."""
        if old is None:
            return
        kept = cluster_addresses(new.spec) if new is not None else ()
        for address in cluster_addresses(old.spec):
            if address not in kept:
                self._left[address] = self.now()
                yield address


def _has_others(old: Service | None, new: Service | None) -> bool:
    """Whether a Service has addresses it did not have."""
    return new is not None and (old is None or cluster_addresses(old.spec) != cluster_addresses(new.spec))


def _service_of(old: IPAddress | None, new: IPAddress | None) -> Iterable[str]:
    """The Service whose IPAddress goes or changes."""
    if old is not None and (new is None or (old.spec, old.metadata.labels) != (new.spec, new.metadata.labels)):
        key = service_key(old)
        if key:
            yield key


def _created(obj: Any) -> datetime:
    return parse(obj.metadata.creationTimestamp)


async def _newest(client: Client, resource: Resource[T], key: str) -> T | None:
    """The object as the API has it; None when there is none."""
    namespace, name = split_key(key)
    try:
        return await client.get(resource, name, namespace)
    except StatusError as error:
        if not is_not_found(error):
            raise
        return None
