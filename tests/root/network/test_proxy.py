"""Service rules on the kernel's nftables: what clients in pods and on the host meet."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from proa.net.routed import RoutedNetwork
from proa.proxy.backend import NftBackend
from proa.proxy.plan import ProxyOptions, Ruleset, ServiceKey, ServicePort, Target

VIP = "10.96.0.20"
WEB = ServiceKey("default", "web")
Pods = Callable[[], Any]


def web(targets: Sequence[str], **more: Any) -> Ruleset:
    found = tuple(Target(ip, 8080) for ip in targets)
    protocol = more.pop("protocol", "TCP")
    port = ServicePort(WEB, "http", protocol, 80, VIP, targets=found, **more)
    return Ruleset({WEB: (port,)})


@pytest.fixture
async def backend(network: RoutedNetwork, journal: Any) -> AsyncIterator[NftBackend]:
    backend = NftBackend("test", ProxyOptions("node", "10.244.0.0/16"), journal)
    await backend.apply(Ruleset())
    yield backend
    await backend.teardown()


@pytest.fixture
async def servers(network: RoutedNetwork, pods: Pods) -> list[tuple[Any, str]]:
    """Three pods that answer with their name (a, b, c), and their addresses."""
    made = []
    for name in "abc":
        pod = pods()
        addresses = await network.attach(name, pod.netns, namespace="default", name=name)
        pod.serve(8080, name)
        made.append((pod, addresses.ips[0]))
    return made


async def test_a_cluster_ip_spreads_over_its_endpoints(backend: NftBackend, host: Any, servers: Any) -> None:
    (a, first), (_, second), (_, third) = servers
    await backend.apply(web([first, second, third]))
    assert {host.ask(VIP, 80)[0] for _ in range(60)} == {"a", "b", "c"}
    assert a.ask(VIP, 80)[0] in "abc"


async def test_a_pod_keeps_its_address_and_reaches_itself_through_its_service(
    backend: NftBackend, host: Any, servers: Any
) -> None:
    (a, first), (b, second), _ = servers
    await backend.apply(web([first]))
    assert b.ask(VIP, 80) == f"a {second}"
    assert a.ask(VIP, 80).startswith("a ")
    assert host.ask(VIP, 80) == "a 10.244.0.1"


async def test_endpoints_that_come_and_go_change_where_connections_lead(
    backend: NftBackend, host: Any, servers: Any
) -> None:
    (_, first), (_, second), (c, _) = servers
    await backend.apply(web([first]))
    await backend.apply(web([second]))
    assert {host.ask(VIP, 80)[0] for _ in range(5)} == {"b"}
    await backend.apply(web([]))
    with pytest.raises(ConnectionRefusedError):
        host.ask(VIP, 80)
    with pytest.raises(RuntimeError, match="refused"):
        c.ask(VIP, 80)
    await backend.apply(web([first]))
    assert c.ask(VIP, 80)[0] == "a"
    await backend.apply(Ruleset())
    with pytest.raises(ConnectionRefusedError):
        host.ask(VIP, 80)
    assert backend.statistics()["replaced"] == 1


async def test_a_node_port_answers_on_every_local_address(backend: NftBackend, host: Any, servers: Any) -> None:
    (a, first), (_, second), _ = servers
    await backend.apply(web([first, second], node_port=30080))
    for address in ("127.0.0.1", "10.244.0.1"):
        assert {host.ask(address, 30080)[0] for _ in range(30)} == {"a", "b"}
    assert a.ask("10.244.0.1", 30080)[0] in "ab"
    await backend.apply(web([], node_port=30080))
    with pytest.raises(ConnectionRefusedError):
        host.ask("127.0.0.1", 30080)


async def test_an_external_ip_leads_to_the_service(backend: NftBackend, servers: Any) -> None:
    (_, first), (b, _), _ = servers
    await backend.apply(web([first], external_ips=("203.0.113.9",)))
    assert b.ask("203.0.113.9", 80)[0] == "a"


async def test_a_client_stays_with_its_endpoint_also_when_others_come(
    backend: NftBackend, host: Any, servers: Any
) -> None:
    (_, first), (_, second), (_, third) = servers
    await backend.apply(web([first, second], affinity_seconds=60))
    (chosen,) = {host.ask(VIP, 80)[0] for _ in range(12)}
    await backend.apply(web([first, second, third], affinity_seconds=60))
    assert {host.ask(VIP, 80)[0] for _ in range(12)} == {chosen}
    await backend.apply(web([first, second, third], affinity_seconds=90))
    assert host.ask(VIP, 80)[0] in "abc"
    await backend.apply(web([first]))
    assert host.ask(VIP, 80)[0] == "a"


async def test_with_local_policies_only_this_nodes_endpoints_serve(
    backend: NftBackend, host: Any, servers: Any
) -> None:
    (_, first), (b, second), _ = servers
    here = (Target(first, 8080),)
    await backend.apply(web([first, second], local_targets=here, internal_local=True, node_port=30080))
    assert {b.ask(VIP, 80)[0] for _ in range(4)} == {"a"}
    assert {host.ask("10.244.0.1", 30080)[0] for _ in range(30)} == {"a", "b"}
    await backend.apply(web([second], internal_local=True))
    with pytest.raises(RuntimeError, match="timed out"):
        b.ask(VIP, 80)


async def test_two_services_with_one_external_address_do_not_break_the_rest(
    backend: NftBackend, host: Any, servers: Any
) -> None:
    (_, first), (b, second), _ = servers
    other = ServiceKey("default", "other")
    rival = ServicePort(
        other, "http", "TCP", 80, "10.96.0.21", external_ips=("203.0.113.9",), targets=(Target(second, 8080),)
    )
    both = web([first], external_ips=("203.0.113.9",)).with_services({other: (rival,)})
    await backend.apply(both)
    assert b.ask("203.0.113.9", 80)[0] == "b"
    assert host.ask(VIP, 80)[0] == "a"
    await backend.apply(both.with_services({other: ()}))
    assert b.ask("203.0.113.9", 80)[0] == "a"


async def test_a_udp_client_moves_on_when_its_endpoint_goes(
    backend: NftBackend, network: RoutedNetwork, servers: Any
) -> None:
    (a, first), (b, second), _ = servers
    a.serve(8080, "a", udp=True)
    b.serve(8080, "b", udp=True)
    await backend.apply(web([first], protocol="UDP"))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.settimeout(3)
        client.connect((VIP, 80))
        client.send(b"?")
        assert client.recv(99)[:1] == b"a"
        await backend.apply(web([second], protocol="UDP"))
        client.send(b"?")
        assert client.recv(99)[:1] == b"b"
    assert backend.statistics()["flows_forgotten"] == 1


async def test_a_table_that_someone_removed_is_made_anew(backend: NftBackend, host: Any, servers: Any) -> None:
    (_, first), (_, second), _ = servers
    await backend.apply(web([first]))
    host.nft("flush", "ruleset")
    await backend.apply(web([second]))
    assert host.ask(VIP, 80)[0] == "b"


async def test_teardown_leaves_other_tables_alone(network: RoutedNetwork, host: Any) -> None:
    backend = NftBackend("test", ProxyOptions("node", "10.244.0.0/16"))
    await backend.apply(web(["10.244.0.9"]))
    other = NftBackend("other", ProxyOptions("node", "10.245.0.0/16"))
    await other.apply(web(["10.245.0.9"]))
    before = host.nft("list", "tables").splitlines()
    await backend.teardown()
    left = host.nft("list", "tables").splitlines()
    assert len(before) - len(left) == 1
    assert "10.245.0.9" in host.nft("list", "ruleset")
    await other.teardown()
