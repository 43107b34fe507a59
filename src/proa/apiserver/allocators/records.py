"""The IPAddress objects of Services: the public record of who has which address, and the lock where others write too.

Not here: what they say (`rules.service_addresses`), and those that are missing or too many (`repair`).
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

from proa.api.core_v1 import Service
from proa.api.core_v1.resources import SERVICES
from proa.api.networking_v1 import IPAddress
from proa.api.networking_v1.resources import IP_ADDRESSES
from proa.apiserver.registry import Registry
from proa.client.protocol import Client
from proa.control.deletion import delete_exactly
from proa.machinery import status as failures
from proa.rules.service_addresses import record_of, reference_to

log = logging.getLogger(__name__)


class AddressRecords:
    """client: writes them, as the server itself. registry: serves them."""

    def __init__(self, client: Client, registry: Registry) -> None:
        self._client = client
        self._registry = registry
        self._going: dict[str, asyncio.Future[None]] = {}

    def find(self, address: str) -> IPAddress | None:
        """The object of an address, if the cache has it now."""
        item = self._registry.peek("", address)
        return None if item is None else item.object

    async def make(self, addresses: Sequence[str], service: Service) -> Sequence[IPAddress]:
        """Record that these are the Service's; what was made. One that says so already is taken over: somebody died
        before the Service was written. Raises StatusError, 500 ServerTimeout when an address is another's."""
        made: list[IPAddress] = []
        try:
            for address in addresses:
                await self._make(address, service, made)
        except BaseException:
            await self.remove(made)
            raise
        return made

    async def remove(self, records: Sequence[IPAddress]) -> None:
        """Delete these very objects. One that cannot be deleted keeps its address until it is repaired."""
        for record in records:
            address = record.metadata.name
            going = self._going[address] = asyncio.get_running_loop().create_future()
            try:
                await delete_exactly(self._client, IP_ADDRESSES, record, unless_changed=True)
            except Exception as error:  # the write of the Service is done, whatever this is
                log.warning("the IPAddress %s is left over: %s", address, error)
            finally:
                self._going.pop(address, None)
                going.set_result(None)

    async def _make(self, address: str, service: Service, made: list[IPAddress]) -> None:
        while (going := self._going.get(address)) is not None:
            await going
        found = self.find(address)
        if found is None:
            try:
                made.append(await self._client.create(IP_ADDRESSES, record_of(address, service)))
            except failures.StatusError as error:
                if not failures.is_already_exists(error):
                    raise
                raise failures.server_timeout(SERVICES, "create") from error
        elif found.spec.parentRef != reference_to(service):
            raise failures.server_timeout(SERVICES, "create")
