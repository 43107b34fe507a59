"""What keeps addresses in order while the server runs: the ranges followed, the default one kept, records repaired.

Not here: what any part does.
"""

from __future__ import annotations

from collections.abc import Sequence

from msgspec.structs import replace

from proa.api.networking_v1.resources import SERVICE_CIDRS
from proa.apiserver.allocators.ranges import ServiceRanges
from proa.apiserver.allocators.repair import IPAddressRepair, ServiceAddressRepair
from proa.apiserver.bootstrap import ensure_service_cidr
from proa.client.events import Events
from proa.client.protocol import Client
from proa.control.controller import Context, Controller, ControllerRunner
from proa.control.outcome import DONE, Outcome
from proa.control.triggers import For, Trigger
from proa.machinery.timestamps import format_time
from proa.rules.service_addresses import DEFAULT_RANGE


class DefaultRange(Controller):
    """The ServiceCIDR `kubernetes` comes back when it is deleted."""

    name = "default-service-cidr"

    def __init__(self, context: Context, cidr: str) -> None:
        super().__init__(context)
        self._cidr = cidr

    @property
    def triggers(self) -> Sequence[Trigger]:
        return (For(SERVICE_CIDRS, when=lambda old, new: new is None and old.metadata.name == DEFAULT_RANGE),)

    async def reconcile(self, key: str) -> Outcome:
        await ensure_service_cidr(self.client, self._cidr, format_time(self.now()))
        return DONE


class AddressKeeper:
    """ranges: told of every ServiceCIDR from `start` on."""

    def __init__(self, ranges: ServiceRanges) -> None:
        self._ranges = ranges
        self._runners: list[ControllerRunner] = []
        self._events: Events | None = None

    async def start(self, context: Context, client: Client) -> None:
        """client: writes as the server itself. The ranges are known when this returns."""
        self._events = Events(client, context.clock)
        await self._events.start()
        own = replace(context, client=client, events=self._events)
        informer = own.informer(SERVICE_CIDRS)
        informer.on_change(self._ranges.changed)
        for each in (ServiceAddressRepair(own), IPAddressRepair(own), DefaultRange(own, self._ranges.configured)):
            runner = ControllerRunner(each)
            self._runners.append(runner)
            await runner.start()
        await informer.synced()

    async def close(self) -> None:
        for runner in self._runners:
            await runner.close()
        if self._events is not None:
            await self._events.close()
