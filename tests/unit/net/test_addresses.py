"""Address assignments survive what happens to a machine."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from proa.net.addresses import AddressPool
from proa.net.protocol import AddressesExhausted

NETWORK = IPv4Network("10.244.3.0/29")  # .1 is the gateway; .2 to .6 are for pods


def test_the_network_the_gateway_and_broadcast_are_nobodys(tmp_path: Path) -> None:
    pool = AddressPool(NETWORK, tmp_path / "addresses")
    given_out = {pool.assign(f"s{n}", f"default/p{n}").address for n in range(5)}
    assert given_out == {IPv4Address(f"10.244.3.{n}") for n in range(2, 7)}
    with pytest.raises(AddressesExhausted, match=r"10\.244\.3\.0/29"):
        pool.assign("more", "default/more")
    assert pool.free == 0


def test_a_freed_address_is_used_again_last(tmp_path: Path) -> None:
    pool = AddressPool(NETWORK, tmp_path / "addresses")
    first = pool.assign("s0", "default/p0").address
    pool.release("s0")
    others = [pool.assign(f"s{n}", f"default/p{n}").address for n in range(1, 6)]
    assert others[:4] == [IPv4Address(f"10.244.3.{n}") for n in range(3, 7)]
    assert others[4] == first


def test_the_same_pod_gets_its_address_back_after_a_reboot(tmp_path: Path) -> None:
    path = tmp_path / "addresses"
    pool = AddressPool(NETWORK, path)
    pool.assign("a", "default/a")
    held = pool.assign("b", "default/b").address
    again = AddressPool(NETWORK, path)
    assert [lease.sandbox_id for lease in again.leases] == ["a", "b"]
    again.release("b")
    assert AddressPool(NETWORK, path).assign("b2", "default/b").address == held


def test_a_torn_last_line_is_dropped(tmp_path: Path) -> None:
    path = tmp_path / "addresses"
    AddressPool(NETWORK, path).assign("a", "default/a")
    with path.open("a") as file:
        file.write("+ 10.244.3.3 b defa")
    assert [lease.sandbox_id for lease in AddressPool(NETWORK, path).leases] == ["a"]


def test_addresses_of_another_network_are_forgotten(tmp_path: Path) -> None:
    path = tmp_path / "addresses"
    AddressPool(NETWORK, path).assign("a", "default/a")
    assert AddressPool(IPv4Network("10.244.4.0/29"), path).leases == ()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("+-!"), st.integers(0, 7)), max_size=40))
def test_reopening_at_any_time_changes_nothing(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[str, int]]
) -> None:
    path = tmp_path_factory.mktemp("pool") / "addresses"
    pool = AddressPool(NETWORK, path)
    for action, number in steps:
        sandbox = f"s{number}"
        if action == "+" and (pool.free or pool.lease(sandbox)):
            pool.assign(sandbox, f"default/{number}")
        elif action == "-":
            pool.release(sandbox)
        elif action == "!":
            before = set(pool.leases)
            pool.close()
            pool = AddressPool(NETWORK, path)
            assert set(pool.leases) == before
        held = [lease.address for lease in pool.leases]
        assert len(held) == len(set(held))
        assert len(held) + pool.free == 5
    pool.close()
