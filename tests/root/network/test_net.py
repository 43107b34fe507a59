"""The routed pod network on real kernel objects, in a network namespace of the test's own."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv4Network
from pathlib import Path
from typing import Any

import pytest

from proa.net import names
from proa.net import rtnetlink as rt
from proa.net.protocol import NetworkConfig, NetworkError, Peer
from proa.net.routed import RoutedNetwork

Config = Callable[..., NetworkConfig]
Pods = Callable[[], Any]


@dataclass(frozen=True)
class Mapping:
    host_port: int
    container_port: int
    protocol: str = "TCP"
    host_ip: str = ""


async def attach(network: RoutedNetwork, pod: Any, name: str, **more: Any) -> str:
    addresses = await network.attach(f"sandbox-{name}", pod.netns, namespace="default", name=name, **more)
    return addresses.ips[0]


async def test_a_pod_reaches_its_neighbour_and_the_host(network: RoutedNetwork, host: Any, pods: Pods) -> None:
    one, two = pods(), pods()
    first, second = await attach(network, one, "one"), await attach(network, two, "two")
    one.serve(80, "one")
    assert two.ask(first, 80) == f"one {second}"
    assert host.ask(first, 80) == "one 10.244.0.1"
    assert await network.check() == ()


async def test_packets_between_neighbours_pass_the_host(network: RoutedNetwork, host: Any, pods: Pods) -> None:
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await attach(network, two, "two")
    drop = f"type filter hook forward priority 0; ip daddr {first} tcp dport 80 drop"
    host.nft("-f", "-", script=f"table ip probe {{\nchain c {{\n{drop}\n}}\n}}\n")
    one.serve(80, "one")
    with pytest.raises(RuntimeError, match="timed out"):
        two.ask(first, 80)


async def test_a_host_port_leads_to_its_pod_from_everywhere(network: RoutedNetwork, host: Any, pods: Pods) -> None:
    one, two = pods(), pods()
    await attach(network, one, "one", port_mappings=(Mapping(8080, 80),))
    await attach(network, two, "two")
    one.serve(80, "one")
    assert host.ask("127.0.0.1", 8080).startswith("one")
    assert host.ask("10.244.0.1", 8080).startswith("one")
    assert two.ask("10.244.0.1", 8080).startswith("one")
    assert one.ask("10.244.0.1", 8080).startswith("one")
    with pytest.raises(NetworkError, match="hostPort TCP 8080 is in use"):
        await attach(network, two, "two", port_mappings=(Mapping(8080, 80),))
    await network.detach("sandbox-one")
    with pytest.raises(ConnectionRefusedError):
        host.ask("127.0.0.1", 8080)


async def test_a_pod_that_comes_back_gets_its_address_again(network: RoutedNetwork, pods: Pods) -> None:
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await network.detach("sandbox-one")
    assert await attach(network, two, "two") != first
    again = await network.attach("another-sandbox", one.netns, namespace="default", name="one")
    assert again.ips == (first,)


async def test_after_a_crash_the_same_sandboxes_hold_the_same_addresses_and_host_ports(
    network: RoutedNetwork, host: Any, pods: Pods, config: Config
) -> None:
    one, two = pods(), pods()
    first = await attach(network, one, "one", port_mappings=(Mapping(8080, 80), Mapping(53, 53, "UDP", "127.0.0.1")))
    await attach(network, two, "two", port_mappings=(Mapping(8081, 80),))
    one.serve(80, "one")
    successor = RoutedNetwork(config())
    await successor.setup()
    assert await successor.check() == ()
    assert host.ask("127.0.0.1", 8080).startswith("one")
    assert await successor.retain(["sandbox-one"]) == ("sandbox-two",)
    with pytest.raises(ConnectionRefusedError):
        host.ask("127.0.0.1", 8081)
    await successor.detach("sandbox-one")
    assert await attach(successor, one, "one") == first
    await successor.close()


async def test_two_clusters_share_a_host_and_leave_it_one_by_one(
    network: RoutedNetwork, host: Any, pods: Pods, config: Config, journal: Any
) -> None:
    other = RoutedNetwork(config("other", 1))
    await other.setup()
    one, two = pods(), pods()
    await attach(network, one, "one")
    address = await attach(other, two, "two")
    await network.teardown()
    assert journal.objects - {("sysctl", "net.ipv4.ip_forward=0")} == set()
    assert not any(names.owns("test", name) for name in host.links())
    assert await other.check() == ()
    two.serve(80, "two")
    assert host.ask(address, 80).startswith("two")
    await other.teardown()
    await other.close()
    assert host.links() <= {"lo", "sit0", "tunl0", "ip6tnl0", "gre0", "gretap0", "erspan0"}
    assert host.nft("list", "tables") == ""


async def test_an_address_without_a_pod_and_an_unknown_service_refuse_at_once(
    network: RoutedNetwork, host: Any, pods: Pods
) -> None:
    one = pods()
    await attach(network, one, "one")
    for nowhere in ("10.244.0.77", "10.96.3.3"):
        with pytest.raises(ConnectionRefusedError):
            host.ask(nowhere, 80)
        with pytest.raises(RuntimeError, match="refused"):
            one.ask(nowhere, 80)


async def test_a_failed_attach_leaves_nothing(network: RoutedNetwork, host: Any, tmp_path: Path) -> None:
    before = host.links()
    with pytest.raises(NetworkError, match="No such file"):
        await network.attach("gone", tmp_path / "no-such-netns", namespace="default", name="gone")
    assert host.links() == before
    assert network.statistics()["sandboxes"] == 0


async def test_peers_are_routed_and_former_ones_are_not(network: RoutedNetwork) -> None:
    with rt.Socket() as sock:
        sock.send(rt.new_bridge("uplink", 1500))
        sock.send(rt.new_address(sock.link("uplink").index, IPv4Interface("192.168.7.1/24")))
        await network.set_peers([Peer(IPv4Network("10.244.1.0/24"), IPv4Address("192.168.7.2"))])
        await network.set_peers([Peer(IPv4Network("10.244.2.0/24"), IPv4Address("192.168.7.3"))])
        routes = {str(r.destination): str(r.gateway) for r in sock.routes() if r.gateway}
    assert routes == {"10.244.2.0/24": "192.168.7.3"}


async def test_a_host_firewall_that_drops_forwarding_is_opened_and_closed_again(
    host: Any, pods: Pods, config: Config
) -> None:
    host.nft(
        "-f",
        "-",
        script="table ip filter {\nchain FORWARD {\ntype filter hook forward priority 0; policy drop;\n}\n}\n",
    )
    network = RoutedNetwork(config())
    await network.setup()
    one, two = pods(), pods()
    first = await attach(network, one, "one")
    await attach(network, two, "two")
    one.serve(80, "one")
    assert two.ask(first, 80).startswith("one")
    await network.teardown()
    await network.close()
    left = host.nft("list", "ruleset")
    assert "proa" not in left
    assert "FORWARD" in left


def test_threads_of_the_test_are_in_its_namespace(host: Any) -> None:
    seen: list[str] = []
    thread = threading.Thread(target=lambda: seen.append(os.readlink("/proc/thread-self/ns/net")))
    thread.start()
    thread.join()
    assert seen == [os.readlink("/proc/thread-self/ns/net")]
