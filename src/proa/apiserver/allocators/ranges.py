"""The ranges Services get their addresses from: the networks of all ServiceCIDRs that are ready and stay.

Until the objects are known it is the range the server was configured with. Not here: whether a ServiceCIDR is ready
(its controller says so).
"""

from __future__ import annotations

from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from random import Random

from proa.api.networking_v1 import ServiceCIDR
from proa.apiserver.allocators.pool import Range
from proa.rules.service_addresses import DEFAULT_RANGE, Network, contains, is_ready, networks_of


class ServiceRanges:
    """configured: the network of the cluster's default ServiceCIDR; its family is that of all Services.

    Addresses are taken from the oldest ServiceCIDR first.
    """

    def __init__(self, configured: str) -> None:
        network = ip_network(configured)
        self.configured = configured
        self.version = network.version
        self.first = str(network[1])
        """The address of the `kubernetes` Service."""
        self._networks: dict[str, tuple[Network, ...]] = {}
        self._ranges: dict[Network, Range] = {}
        self._set(DEFAULT_RANGE, (network,))

    def __str__(self) -> str:
        return ", ".join(map(str, self._ranges))

    @property
    def size(self) -> int:
        """How many addresses there are; where ranges overlap, some count twice."""
        return sum(each.size for each in self._ranges.values())

    def __contains__(self, address: str) -> bool:
        """Whether a Service may have it."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(contains(each, parsed) for each in self._ranges)

    def free(self, is_taken: Callable[[str], bool], chance: Random) -> str | None:
        """An address that is not taken; None when all are."""
        for each in self._ranges.values():
            number = each.free(lambda number: is_taken(self._address(number)), chance)
            if number is not None:
                return self._address(number)
        return None

    def changed(self, old: ServiceCIDR | None, new: ServiceCIDR | None) -> None:
        """Follow a ServiceCIDR, as a handler of an informer."""
        if new is not None:
            self._set(new.metadata.name, networks_of(new) if is_ready(new) else ())
        elif old is not None:
            self._set(old.metadata.name, ())

    def _address(self, number: int) -> str:
        return str(IPv4Address(number) if self.version == 4 else IPv6Address(number))

    def _set(self, name: str, networks: tuple[Network, ...]) -> None:
        if networks == self._networks.get(name, ()):
            return
        self._networks[name] = networks
        every = (network for each in self._networks.values() for network in each)
        self._ranges = {each: _range_of(each) for each in every if each.version == self.version}


def _range_of(network: Network) -> Range:
    """Neither the first address, nor the last of IPv4; the band of KEP-3070."""
    size = network.num_addresses - (2 if network.version == 4 else 1)
    reserved = min(max(16, network.num_addresses // 16), 256) if network.num_addresses > 16 else 0
    return Range(int(network.network_address) + 1, size, reserved)
