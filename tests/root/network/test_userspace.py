"""The fallback proxy: the same services without nftables."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest

from proa.net import names
from proa.net.routed import RoutedNetwork
from proa.proxy.plan import Ruleset, ServiceKey, ServicePort, Target
from proa.proxy.userspace import UserspaceBackend

VIP = "10.96.0.20"
WEB = ServiceKey("default", "web")


def web(targets: Sequence[str], protocol: str = "TCP", **more: Any) -> Ruleset:
    found = tuple(Target(ip, 8080) for ip in targets)
    return Ruleset({WEB: (ServicePort(WEB, "http", protocol, 80, VIP, targets=found, **more),)})


@pytest.fixture
async def backend(network: RoutedNetwork) -> AsyncIterator[UserspaceBackend]:
    backend = UserspaceBackend(names.bridge("test"))
    yield backend
    await backend.teardown()


@pytest.fixture
async def servers(network: RoutedNetwork, pods: Callable[[], Any]) -> list[tuple[Any, str]]:
    made = []
    for name in "ab":
        pod = pods()
        addresses = await network.attach(name, pod.netns, namespace="default", name=name)
        pod.serve(8080, name)
        pod.serve(8080, name, udp=True)
        made.append((pod, addresses.ips[0]))
    return made


async def test_connections_are_carried_from_the_host_and_from_pods(
    backend: UserspaceBackend, host: Any, servers: Any
) -> None:
    (a, first), (_, second) = servers
    await backend.apply(web([first, second], node_port=30080))
    assert {(await asyncio.to_thread(host.ask, VIP, 80))[0] for _ in range(30)} == {"a", "b"}
    assert (await asyncio.to_thread(a.ask, VIP, 80))[0] in "ab"
    assert (await asyncio.to_thread(host.ask, "127.0.0.1", 30080))[0] in "ab"


async def test_a_service_without_endpoints_refuses_and_one_that_is_gone_leaves_no_address(
    backend: UserspaceBackend, host: Any, servers: Any
) -> None:
    await backend.apply(web([]))
    with pytest.raises(ConnectionRefusedError):
        host.ask(VIP, 80)
    await backend.apply(Ruleset())
    with pytest.raises(ConnectionRefusedError):
        host.ask(VIP, 80)


async def test_datagrams_are_carried_and_follow_the_endpoints(
    backend: UserspaceBackend, network: RoutedNetwork, servers: Any
) -> None:
    (_, first), (_, second) = servers
    loop = asyncio.get_running_loop()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.setblocking(False)
        for ip, name in ((first, b"a"), (second, b"b")):
            await backend.apply(web([ip], "UDP"))
            await loop.sock_connect(client, (VIP, 80))
            await loop.sock_sendall(client, b"?")
            answer = await asyncio.wait_for(loop.sock_recv(client, 99), 3)
            assert answer[:1] == name
