"""Says of each ServiceCIDR that it is ready, and lets one go when no Service's address depends on it any more.

A finalizer keeps it until then. Whoever allocates takes nothing from a range that is being deleted, but may learn of it
late: the finalizer stays some seconds longer. Not here: which addresses are whose (the API server's allocators).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from msgspec.structs import replace

from proa.api.networking_v1 import IPAddress, ServiceCIDR
from proa.api.networking_v1.resources import IP_ADDRESSES, SERVICE_CIDRS
from proa.control.controller import Context, Controller
from proa.control.outcome import DONE, Outcome, requeue_after
from proa.control.status import set_condition, update_status_if_changed
from proa.control.triggers import For, Maps, Trigger
from proa.controllers.service_cidrs.coverage import dependent, overlap
from proa.machinery.meta import Condition
from proa.machinery.status import StatusError, is_not_found
from proa.machinery.timestamps import format_time, parse
from proa.rules.service_addresses import FINALIZER, READY, is_managed, is_within

# How long after its deletion a range may still be given from by an API server that has not heard of it.
_GRACE_SECONDS = 10.0

_READY = "Kubernetes Service CIDR is ready"
_KEPT = "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR"


class ServiceCIDRController(Controller):
    name = "service-cidrs"

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self._cidrs = context.informer(SERVICE_CIDRS)
        self._records = context.informer(IP_ADDRESSES)

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(SERVICE_CIDRS), Maps(SERVICE_CIDRS, self._around), Maps(IP_ADDRESSES, self._containing))

    async def reconcile(self, key: str) -> Outcome:
        cidr = self._cidrs.get(key)
        if cidr is None:
            return DONE
        if cidr.metadata.deletionTimestamp is not None:
            return await self._let_go(cidr, cidr.metadata.deletionTimestamp)
        if FINALIZER not in cidr.metadata.finalizers:
            cidr = await self._write(cidr, (*cidr.metadata.finalizers, FINALIZER))
        await self._say(cidr, "True", "", _READY)
        return DONE

    async def _let_go(self, cidr: ServiceCIDR, deleted: str) -> Outcome:
        if FINALIZER not in cidr.metadata.finalizers:
            return DONE
        managed = (each.metadata.name for each in self._records.list() if is_managed(each))
        address = dependent(cidr, self._cidrs.list(), managed)
        if address:
            await self._say(cidr, "False", "Terminating", _KEPT)
            return Outcome(note=f"kept for {address}")
        left = _GRACE_SECONDS - (self.now() - parse(deleted)).total_seconds()
        if left > 0:
            return requeue_after(left, "addresses may be taken yet")
        try:
            await self._write(cidr, tuple(each for each in cidr.metadata.finalizers if each != FINALIZER))
        except StatusError as error:
            if not is_not_found(error):
                raise
        return Outcome(note="let go: no address depends on it")

    async def _write(self, cidr: ServiceCIDR, finalizers: tuple[str, ...]) -> ServiceCIDR:
        metadata = replace(cidr.metadata, finalizers=finalizers)
        return await self.client.update(SERVICE_CIDRS, replace(cidr, metadata=metadata))

    async def _say(self, cidr: ServiceCIDR, status: str, reason: str, message: str) -> None:
        now = format_time(self.now())
        condition = Condition(type=READY, status=status, reason=reason, message=message, lastTransitionTime=now)
        conditions = set_condition(cidr.status.conditions, condition)
        await update_status_if_changed(self.client, SERVICE_CIDRS, cidr, replace(cidr.status, conditions=conditions))

    def _around(self, old: ServiceCIDR | None, new: ServiceCIDR | None) -> Iterable[str]:
        """Those that are going away and for which another one's coming or going may count."""
        for going in self._going():
            if any(each is not None and overlap(each, going) for each in (old, new)):
                yield going.metadata.name

    def _containing(self, old: IPAddress | None, new: IPAddress | None) -> Iterable[str]:
        """Those that are going away and have the address of an IPAddress that comes or goes."""
        record = new or old
        if record is not None and is_managed(record):
            for going in self._going():
                if is_within((going,), record.metadata.name):
                    yield going.metadata.name

    def _going(self) -> Iterable[ServiceCIDR]:
        return (each for each in self._cidrs.list() if each.metadata.deletionTimestamp is not None)
