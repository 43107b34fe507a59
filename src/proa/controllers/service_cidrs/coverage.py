"""Which ServiceCIDRs concern each other, and what keeps one from going. Source: KEP-1880. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from proa.api.networking_v1 import ServiceCIDR
from proa.rules.service_addresses import is_within, networks_of


def overlap(one: ServiceCIDR, other: ServiceCIDR) -> bool:
    """Whether an address may be in both."""
    return any(a.overlaps(b) for a in networks_of(one) for b in networks_of(other) if a.version == b.version)


def dependent(cidr: ServiceCIDR, others: Iterable[ServiceCIDR], addresses: Iterable[str]) -> str:
    """One of the addresses that would be in no range without `cidr`; '' when there is none.

    What goes away itself covers nothing: of two that go together, each would count on the other.
    """
    covering = [
        each
        for each in others
        if each.metadata.name != cidr.metadata.name and each.metadata.deletionTimestamp is None and overlap(cidr, each)
    ]
    return next((each for each in addresses if is_within((cidr,), each) and not is_within(covering, each)), "")
