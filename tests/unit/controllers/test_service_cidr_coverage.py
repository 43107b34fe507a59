"""What keeps a range of Service addresses from going."""

from __future__ import annotations

import msgspec
import pytest

from proa.api.networking_v1 import ServiceCIDR
from proa.controllers.service_cidrs.coverage import dependent, overlap


def cidr(name: str, *cidrs: str, going: bool = False) -> ServiceCIDR:
    metadata = {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {})}
    return msgspec.convert({"metadata": metadata, "spec": {"cidrs": cidrs}}, ServiceCIDR)


GOING = cidr("going", "10.97.0.0/24", going=True)
INSIDE = "10.97.0.9"


@pytest.mark.parametrize(
    ("others", "addresses", "dependent_address"),
    [
        ((), (), ""),
        ((), (INSIDE,), INSIDE),
        ((), ("10.98.0.1", "fd00::1"), ""),
        ((cidr("wide", "10.96.0.0/15"),), (INSIDE,), ""),
        ((cidr("same", "10.97.0.0/24"),), (INSIDE,), ""),
        ((cidr("half", "10.97.0.0/25"),), (INSIDE,), ""),
        ((cidr("half", "10.97.0.0/25"),), (INSIDE, "10.97.0.200"), "10.97.0.200"),
        ((cidr("elsewhere", "10.98.0.0/24"),), (INSIDE,), INSIDE),
        ((cidr("wide", "10.96.0.0/15", going=True),), (INSIDE,), INSIDE),
        # The first and the last address of a network are no Service's.
        ((cidr("narrow", "10.97.0.9/32"),), (INSIDE,), INSIDE),
        ((), ("10.97.0.0", "10.97.0.255"), ""),
    ],
)
def test_a_range_is_needed_by_an_address_that_no_other_range_has(
    others: tuple[ServiceCIDR, ...], addresses: tuple[str, ...], dependent_address: str
) -> None:
    assert dependent(GOING, (GOING, *others), addresses) == dependent_address


def test_of_a_dual_stack_range_the_addresses_of_both_families_count() -> None:
    both = cidr("both", "10.97.0.0/24", "fd00::/64", going=True)
    assert dependent(both, (both, cidr("four", "10.97.0.0/24")), (INSIDE,)) == ""
    assert dependent(both, (both, cidr("four", "10.97.0.0/24")), (INSIDE, "fd00::1")) == "fd00::1"


@pytest.mark.parametrize(
    ("network", "overlaps"),
    [("10.97.0.0/16", True), ("10.97.0.128/25", True), ("10.97.1.0/24", False), ("::/0", False)],
)
def test_ranges_overlap_when_an_address_may_be_in_both(network: str, overlaps: bool) -> None:
    assert overlap(GOING, cidr("other", network)) is overlaps
