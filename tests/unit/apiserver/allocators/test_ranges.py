"""Which ranges of addresses Services may have now."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from proa.api.networking_v1 import ServiceCIDR
from proa.apiserver.allocators.ranges import ServiceRanges


def cidr(name: str, *cidrs: str, ready: str = "True", going: bool = False) -> ServiceCIDR:
    condition = {"type": "Ready", "status": ready, "reason": "", "message": "", "lastTransitionTime": None}
    metadata = {"name": name, **({"deletionTimestamp": "2026-01-01T00:00:00Z"} if going else {})}
    document = {"metadata": metadata, "spec": {"cidrs": cidrs}, "status": {"conditions": [condition]}}
    return msgspec.convert(document, ServiceCIDR)


def test_the_configured_range_counts_until_its_object_is_known() -> None:
    ranges = ServiceRanges("10.96.0.0/16")
    assert "10.96.3.4" in ranges
    ranges.changed(None, cidr("kubernetes", "10.97.0.0/16"))
    assert "10.96.3.4" not in ranges
    assert "10.97.3.4" in ranges


def test_a_range_counts_while_it_is_ready_and_stays() -> None:
    ranges = ServiceRanges("10.96.0.0/16")
    new, ready = cidr("more", "10.97.0.0/24", ready="False"), cidr("more", "10.97.0.0/24")
    ranges.changed(None, new)
    assert "10.97.0.1" not in ranges
    ranges.changed(new, ready)
    assert "10.97.0.1" in ranges
    ranges.changed(ready, cidr("more", "10.97.0.0/24", going=True))
    assert "10.97.0.1" not in ranges


def test_a_network_of_two_objects_counts_until_both_are_gone() -> None:
    ranges = ServiceRanges("10.96.0.0/16")
    first, second = cidr("first", "10.97.0.0/24"), cidr("second", "10.97.0.0/24")
    ranges.changed(None, first)
    ranges.changed(None, second)
    assert ranges.size == 65534 + 254
    ranges.changed(first, None)
    assert "10.97.0.1" in ranges
    ranges.changed(second, None)
    assert "10.97.0.1" not in ranges


def test_a_range_of_another_family_gives_nothing() -> None:
    ranges = ServiceRanges("10.96.0.0/16")
    ranges.changed(None, cidr("both", "10.97.0.0/24", "fd00::/64"))
    assert str(ranges) == "10.96.0.0/16, 10.97.0.0/24"


@pytest.mark.parametrize(
    ("network", "first", "size"),
    [
        ("10.96.0.0/16", "10.96.0.1", 65534),
        ("10.96.0.0/30", "10.96.0.1", 2),
        ("10.96.0.0/31", "10.96.0.1", 0),
        ("fd00::/64", "fd00::1", (1 << 64) - 1),
    ],
)
def test_neither_the_first_address_nor_the_last_of_ipv4_is_given(network: str, first: str, size: int) -> None:
    ranges = ServiceRanges(network)
    assert (ranges.first, ranges.size) == (first, size)


@pytest.mark.parametrize("address", ["10.96.0.0", "10.96.255.255", "10.97.0.1", "fd00::1", "nonsense"])
def test_what_no_service_may_have_is_in_no_range(address: str) -> None:
    assert address not in ServiceRanges("10.96.0.0/16")


def test_a_huge_range_gives_an_address_in_no_time() -> None:
    ranges = ServiceRanges("fd00::/64")
    address = ranges.free(lambda address: False, Random(1))
    assert address is not None
    assert address in ranges


def test_the_next_range_gives_when_the_first_is_full() -> None:
    ranges = ServiceRanges("10.96.0.0/30")
    ranges.changed(None, cidr("more", "10.97.0.0/30"))
    taken: set[str] = set()
    while (address := ranges.free(taken.__contains__, Random(1))) is not None:
        assert len(taken) >= 2 or address.startswith("10.96.")
        taken.add(address)
    assert taken == {"10.96.0.1", "10.96.0.2", "10.97.0.1", "10.97.0.2"}
